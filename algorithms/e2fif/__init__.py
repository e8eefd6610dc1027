from dataclasses import replace

from bench.nouns import Card

LIGHTWEIGHT = Card(
    key="e2fif",
    name="E2FIF",
    adapter="algorithms.e2fif.adapter:E2FIF",
    bits_w=1,
    bits_a=1,
    paper="Lang et al., E2FIF: Push the Limit of Binarized Deep Imagery Super-Resolution, arXiv 2022 (IEEE TIP 2023)",
    year=2022,
    url="https://arxiv.org/abs/2207.06893",
    family="binary",
    provenance=(
        "official code, lightweight tail; trained on RGB although its script sets luminance alone. Convolution biases "
        "are left out (BN cancels them); RCAN as in the paper's figure, not the code, whose second conv skips the first"
    ),
    formula="y = x + BN(sign(W) * sign(x)), LeakyReLU between the two of a block",
    deploy={"Larq": "", "daBNN": ""},
)
REPEAT = replace(
    LIGHTWEIGHT,
    key="e2fif_repeat",
    name="E2FIF (repeat-shortcut tail)",
    adapter="algorithms.e2fif.adapter:E2FIFRepeat",
    provenance="official code: binary convolution to scale^2 times the channels in one stage; as E2FIF otherwise",
)
CARDS = (LIGHTWEIGHT, REPEAT)
