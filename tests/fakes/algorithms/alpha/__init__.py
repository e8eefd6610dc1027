from bench.contract import Card

CARD = Card(
    key="alpha",
    name="Alpha",
    adapter="fakes.algorithms.alpha.adapter:Alpha",
    bits_w=1,
    bits_a=1,
    family="binary",
)
