from bench.contract import Card

CARD = Card(
    key="bnnplus",
    name="BNN+",
    adapter="algorithms.bnnplus.adapter:BNNPlus",
    bits_w=1,
    bits_a=1,
    paper="Darabi et al., BNN+: Improved Binary Network Training, arXiv 2018",
    year=2018,
    url="https://arxiv.org/abs/1812.11800",
    family="binary",
    provenance=(
        "recalled, no code read (hypothesis): beta fixed at 5, L1 regulariser about the per-filter mean |W|, weight "
        "1e-7 rising to 1e-6. BN and Hardtanh in the backbone's block is our reading"
    ),
    formula="y = BN(alpha_o sign(W_o) * sign(x)), sign' = SignSwish', loss + lambda sum | |W| - alpha_o |",
    deploy={"Larq": "", "daBNN": ""},
)
