from bench.contract import Card

CARD = Card(
    key="beta",
    name="Beta",
    adapter="fakes.algorithms.beta.adapter:Beta",
    bits_w=1,
    bits_a=1,
    family="binary",
)
