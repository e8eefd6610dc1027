from bench.contract import Card

PAPER = {
    "paper": "Hubara et al., Binarized Neural Networks, NIPS 2016",
    "year": 2016,
    "url": "https://arxiv.org/abs/1602.02830",
}
METHODS = (
    Card(
        key="bnn",
        name="BNN",
        adapter="algorithms.bnn.adapter:BNN",
        bits_w=1,
        bits_a=1,
        **PAPER,
        family="binary",
        start="uniform from 0 to 0.001 (BiBench, bnn.py)",
        provenance=(
            "signs, estimator and order from BiBench's code; clipping of latent weights recalled from the paper "
            "(hypothesis); conv - BN - Hardtanh in the backbone's block is our reading for super-resolution"
        ),
        formula="y = BN(sign(W) * sign(x))",
        deploy={"Larq": "", "daBNN": ""},
    ),
    Card(
        key="bnn_inplace",
        name="BNN in place",
        adapter="algorithms.bnn.adapter:BNNInPlace",
        bits_w=1,
        bits_a=1,
        **PAPER,
        rebuilt=True,
        family="binary",
        provenance=(
            "put one for one where the backbone's convolutions stand, without normalisation and behind its ReLU. Our "
            "reconstruction of the BNN rows that super-resolution tables print, whose values are those of bilinear "
            "interpolation to the last digit; no code of theirs was seen"
        ),
        formula="y = sign(W) * sign(x) + b",
        deploy={"Larq": "", "daBNN": ""},
    ),
)
CARDS = (*METHODS, METHODS[0].as_printed("algorithms.bnn.adapter:BNNPrinted"))
