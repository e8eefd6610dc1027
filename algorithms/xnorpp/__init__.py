from bench.contract import Card

CARD = Card(
    key="xnorpp",
    name="XNOR++",
    adapter="algorithms.xnorpp.adapter:XNORPlusPlus",
    bits_w=1,
    bits_a=1,
    paper="Bulat and Tzimiropoulos, XNOR-Net++: Improved Binary Neural Networks, BMVC 2019",
    year=2019,
    url="https://arxiv.org/abs/1909.13863",
    family="binary",
    start="uniform from 0 to 0.001 (BiBench, xnorplusplus.py)",
    provenance=(
        "BiBench's code: scale per channel x row x column, initially 1, with BN and Hardtanh. Rows and columns are "
        "absolute: beyond the training patch they keep the factor 1, so larger images are scaled unevenly; per-channel "
        "scale alone is an option"
    ),
    formula="y = BN(gamma_o rho_y kappa_x (sign(W) * sign(x)))",
    deploy={"Larq": "output scale differs per pixel", "daBNN": "output scale differs per pixel"},
)
