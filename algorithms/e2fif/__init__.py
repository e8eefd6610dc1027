from bench.contract import Card

PAPER = {
    "bits_w": 1,
    "bits_a": 1,
    "paper": "Lang et al., E2FIF: Push the Limit of Binarized Deep Imagery Super-Resolution, arXiv 2022 (TIP 2023)",
    "year": 2022,
    "url": "https://arxiv.org/abs/2207.06893",
    "family": "binary",
    "start": "uniform within +-1 / sqrt(fan-in), PyTorch's own (official code)",
    "formula": "y = x + BN(sign(W) * sign(x)), LeakyReLU between the two of a block",
    "deploy": {"Larq": "", "daBNN": ""},
}
READING = (
    "trained on RGB although its script sets luminance alone; convolution biases are left out (BN cancels them); RCAN "
    "as in the paper's figure, not the code, whose second convolution skips the first. On SRResNet: its long skip and "
    "the start of its first convolution, with the backbone's bilinear image added and no mean subtracted"
)

CARDS = (
    Card(
        key="e2fif",
        name="E2FIF",
        adapter="algorithms.e2fif.adapter:E2FIF",
        provenance=f"official code, lightweight full-precision tail; {READING}",
        **PAPER,
    ),
    Card(
        key="e2fif_repeat",
        name="E2FIF, repeat tail",
        adapter="algorithms.e2fif.adapter:E2FIFRepeat",
        provenance=f"official code, repeat-shortcut tail: a binary convolution in one stage even for x4; {READING}",
        **PAPER,
    ),
)
