from bench.contract import Card

CARDS = tuple(
    Card(
        key=f"pact_{bits}",
        name=f"PACT {bits}-bit",
        adapter=f"algorithms.pact.adapter:PACT{bits}",
        bits_w=bits,
        bits_a=bits,
        paper="Choi et al., PACT: Parameterized Clipping Activation for Quantized Neural Networks, arXiv 2018",
        year=2018,
        url="https://arxiv.org/abs/1805.06085",
        family="low-bit",
        provenance=(
            "paper as recalled: its L2 weight on alpha is unverified. Alpha starts at the image's range, our reading; "
            "the paper's 10 is for batch-normalised features"
        ),
        formula="y = DoReFa(W) * round(clip(x, 0, alpha) n / alpha) alpha / n + b, n = 2^k - 1",
        deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
    )
    for bits in (2, 4)
)
