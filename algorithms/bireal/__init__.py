from bench.contract import Card

PAPER = {
    "paper": "Liu et al., Bi-Real Net: Enhancing the Performance of 1-bit CNNs, ECCV 2018",
    "year": 2018,
    "url": "https://arxiv.org/abs/1808.00278",
}
METHODS = (
    Card(
        key="bireal",
        name="Bi-Real",
        adapter="algorithms.bireal.adapter:BiReal",
        bits_w=1,
        bits_a=1,
        **PAPER,
        family="binary",
        start="uniform from 0 to 0.001 (official code, birealnet.py)",
        provenance=(
            "official code: weight gradient without the scale; the paper's magnitude-aware gradient is an option. No "
            "nonlinearity between units; training from a net with clipped activations is left out"
        ),
        formula="y = x + BN(alpha_o sign(W_o) * sign(x))",
        deploy={"Larq": "", "daBNN": ""},
    ),
    Card(
        key="bireal_unscaled",
        name="Bi-Real, unscaled",
        adapter="algorithms.bireal.adapter:BiRealUnscaled",
        bits_w=1,
        bits_a=1,
        **PAPER,
        rebuilt=True,
        family="binary",
        provenance=(
            "the shortcuts without scale and normalisation. Our reconstruction of the Bi-Real rows that "
            "super-resolution tables print, which stand a little above bilinear interpolation; no code of theirs was "
            "seen"
        ),
        formula="y = x + sign(W_o) * sign(x) + b_o",
        deploy={"Larq": "", "daBNN": ""},
    ),
)
CARDS = (*METHODS, METHODS[0].as_printed("algorithms.bireal.adapter:BiRealPrinted"))
