from bench.nouns import Card

CARD = Card(
    key="bnn",
    name="BNN",
    adapter="algorithms.bnn.adapter:BNN",
    bits_w=1,
    bits_a=1,
    paper="Hubara et al., Binarized Neural Networks, NIPS 2016",
    year=2016,
    url="https://arxiv.org/abs/1602.02830",
    family="binary",
    provenance=(
        "signs, estimator and order from BiBench's code; clipping of latent weights recalled from the paper "
        "(hypothesis); conv - BN - Hardtanh in the backbone's block is our reading for super-resolution"
    ),
    formula="y = BN(sign(W) * sign(x))",
    deploy={"Larq": "", "daBNN": ""},
)
