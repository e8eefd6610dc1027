from bench.contract import Card

CARD = Card(
    key="adabin",
    name="AdaBin",
    adapter="algorithms.adabin.adapter:AdaBin",
    bits_w=1,
    bits_a=1,
    paper="Tu et al., AdaBin: Improving Binary Neural Networks with Adaptive Binary Sets, ECCV 2022",
    year=2022,
    url="https://github.com/huawei-noah/Efficient-Computing",
    family="binary",
    provenance=(
        "official code: the input's centre is multiplied by its distance (one expects the sum); conv - BN - shortcut - "
        "Maxout around every convolution, as in its ResNets. Packed as two bases, the second of ones, because the "
        "format has no sum of input signs: twice the integer work that a kernel of its own would need. Shift by the "
        "input's centre, BN and Maxout are float work beside it"
    ),
    start="normal, deviation sqrt(2 / fan-in), as in the official ResNet-20",
    formula="y = Maxout(x + BN((s_o sign(W_o - m_o) + m_o) * d (sign((x - c) / d) + c))), m_o mean, s_o std of W_o",
    deploy={
        "Larq": "weights have two free values a filter, inputs two a layer",
        "daBNN": "weights have two free values a filter, inputs two a layer",
    },
)
