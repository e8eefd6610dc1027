from bench.contract import Card

CARD = Card(
    key="bicubic",
    name="Bicubic",
    adapter="algorithms.bicubic.adapter:Bicubic",
    bits_w=32,
    bits_a=32,
    backbone_free=True,
    family="reference",
    provenance="MATLAB-compatible bicubic interpolation (a = -0.5)",
    formula="y = bicubic(x)",
)
