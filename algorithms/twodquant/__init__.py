from bench.contract import Card

CARDS = tuple(
    Card(
        key=f"twodquant_{bits}",
        name=f"2DQuant {bits}-bit",
        adapter=f"algorithms.twodquant.adapter:TwoDQuant{bits}",
        bits_w=bits,
        bits_a=bits,
        paper="Liu et al., 2DQuant: Low-bit Post-Training Quantization for Image Super-Resolution, NeurIPS 2024",
        year=2024,
        url="https://github.com/Kai-Liu001/2DQuant",
        family="low-bit",
        provenance=(
            "official code: bounds found by search, then learnt against the full-precision network, whose weights stay "
            "as they are (calibration, no training). Linear layers alone, q, k and v apart; the products of attention, "
            "which it quantizes too, stay full precision here, so published values are of a harder task. Our reading: "
            "both bounds shrink everywhere, the search looks at the first batch, features are compared by group"
        ),
        formula="y = q(W) * q(x) + b, q(v) = s round((clip(v, l, u) - l) / s) + l, s = (u - l) / (2^k - 1)",
        convention="quantsr",
        deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
    )
    for bits in (2, 3, 4)
)
