from bench.contract import Card

CARD = Card(
    key="scales",
    name="SCALES",
    adapter="algorithms.scales.adapter:SCALES",
    bits_w=1,
    bits_a=1,
    paper="Wei et al., EBSR / SCALES: Boost Binary Neural Network for Image Super-Resolution, arXiv 2303.12270",
    year=2023,
    url="https://arxiv.org/abs/2303.12270",
    family="binary",
    provenance=(
        "our interpretation: no official code was found and the formulas could not be read; after one third-party "
        "reading of the first version (shift and scale per channel, scale per pixel, all from the image; LeakyReLU "
        "between two units). Shortcut around each unit, recipe BBCU's. The second version differs"
    ),
    formula="y = x + s_c(x) p(x) alpha_o sign(W_o) * sign(x + m_c(x)), p per pixel, s and m per channel and image",
    deploy={
        "Larq": "activations are rescaled per pixel and per image",
        "daBNN": "activations are rescaled per pixel and per image",
    },
)
