from bench.contract import Card

CARD = Card(
    key="rtn",
    name="RTN",
    adapter="algorithms.rtn.adapter:RTN",
    bits_w=2,
    bits_a=2,
    paper="Li et al., RTN: Reparameterized Ternary Network, AAAI 2020",
    year=2020,
    url="https://arxiv.org/abs/1912.02057",
    family="low-bit",
    provenance=(
        "hypothesis: written from the abstract and second-hand notes, no primary source for the formulas. Ternary on "
        "both sides, so 2 bits. One scale and offset a layer; an offset of the input is a constant of each output "
        "channel (padding included) and is left to the bias"
    ),
    formula="y = g (t(W') + o) * h t(x / r) + b, W' standardised, t(v) = round(clip(v, -1, 1)); g, o, h, r learned",
    deploy={"Larq": "ternary: needs a second bit plane", "daBNN": "ternary: needs a second bit plane"},
)
