from bench.contract import Card

CARD = Card(
    key="abcnet",
    name="ABC-Net",
    adapter="algorithms.abcnet.adapter:ABCNet",
    bits_w=1,
    bits_a=1,
    bases=3,
    paper="Lin et al., Towards Accurate Binary Convolutional Neural Network, NIPS 2017",
    year=2017,
    url="https://arxiv.org/abs/1711.11294",
    family="binary",
    provenance=(
        "recalled, no official code read (hypothesis): 3 weight and 3 activation bases, weights fitted per output "
        "channel (per layer is an option), BN before the activation bases; their first thresholds -1/2, 0, 1/2 and "
        "factors 1/3 are our choice"
    ),
    formula="y = sum_n b_n (sum_m a_m B_m) * A_n, B_m = sign(W - mean + u_m std), A_n = +-1 at BN(x) + v_n >= 1/2",
    deploy={
        "Larq": "as nine convolutions and adds, with a threshold",
        "daBNN": "as nine convolutions and adds; needs a threshold",
    },
)
