from bench.contract import Card

CARD = Card(
    key="fp32",
    name="Full precision",
    adapter="algorithms.fp32.adapter:FullPrecision",
    bits_w=32,
    bits_a=32,
    family="reference",
    provenance="the backbone itself",
    formula="y = W * x",
)
