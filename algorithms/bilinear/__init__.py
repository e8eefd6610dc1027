from bench.contract import Card

CARD = Card(
    key="bilinear",
    name="Bilinear",
    adapter="algorithms.bilinear.adapter:Bilinear",
    bits_w=32,
    bits_a=32,
    backbone_free=True,
    family="reference",
    provenance="half-pixel centres, no filter when enlarging; what SRResNet's body adds its details to",
    formula="y = bilinear(x)",
)
