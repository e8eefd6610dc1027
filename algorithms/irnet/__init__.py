from bench.contract import Card

CARD = Card(
    key="irnet",
    name="IR-Net",
    adapter="algorithms.irnet.adapter:IRNet",
    bits_w=1,
    bits_a=1,
    paper="Qin et al., Forward and Backward Information Retention for Accurate Binary Neural Networks, CVPR 2020",
    year=2020,
    url="https://arxiv.org/abs/1909.10788",
    family="binary",
    provenance=(
        "official code: estimator starts at t = 1e-3, as in its CIFAR trainer (0.1 in the paper, recalled: an option), "
        "order sign - conv - BN - shortcut - Hardtanh around every convolution, as in both its ResNets. On equal "
        "footing the image enters in [0, 10] (SRResNet) or [0, 1] and gains start at 1/32: sums are bounded (ours)"
    ),
    formula="y = hardtanh(x + BN(2^s_o sign(W') * sign(x))), W' standardised, s_o = round(log2 mean|W'_o|)",
    deploy={"Larq": "", "daBNN": ""},
)
