from bench.contract import Card

REACTNET = Card(
    key="reactnet",
    name="ReActNet",
    adapter="algorithms.reactnet.adapter:ReActNet",
    bits_w=1,
    bits_a=1,
    paper=(
        "Liu et al., ReActNet: Towards Precise Binary Neural Network with Generalized Activation Functions, ECCV 2020"
    ),
    year=2020,
    url="https://arxiv.org/abs/2003.03488",
    family="binary",
    start="uniform from 0 to 0.001 (official code, birealnet.py)",
    provenance=(
        "paper and code; trained once with L1 as in super-resolution reproductions: the two-step training with a "
        "distributional loss is left out. Linear layers shift the forward sign too, unlike BiBench's, and have no "
        "RPReLU (our reading)"
    ),
    formula="y = RPReLU(x + BN(alpha_o sign(W_o) * sign(x + b_c)))",
    deploy={"Larq": "", "daBNN": "needs a threshold per channel"},
)
CARDS = (REACTNET, REACTNET.as_printed("algorithms.reactnet.adapter:ReActNetPrinted"))
