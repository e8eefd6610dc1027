from bench.contract import Card

CARD = Card(
    key="recu",
    name="ReCU",
    adapter="algorithms.recu.adapter:ReCU",
    bits_w=1,
    bits_a=1,
    paper="Xu et al., ReCU: Reviving the Dead Weights in Binary Neural Networks, ICCV 2021",
    year=2021,
    url="https://arxiv.org/abs/2103.12369",
    family="binary",
    provenance=(
        "official code: the scale per channel is learned (the slides call it a statistic); order sign - conv - BN - "
        "shortcut - Hardtanh around every convolution, as in its ResNets. On equal footing the image enters in [0, 10] "
        "(SRResNet) or [0, 1] and gains start at 1/32: sums are bounded (ours)"
    ),
    formula="y = hardtanh(x + BN(gamma_o sign(clamp(W', -q, q)) * sign(x))), W' standardised, q = -E|W'| ln(2 - 2 tau)",
    deploy={"Larq": "", "daBNN": ""},
)
