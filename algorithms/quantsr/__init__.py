from bench.contract import Card

CARDS = tuple(
    Card(
        key=f"quantsr_{bits}",
        name=f"QuantSR {bits}-bit",
        adapter=f"algorithms.quantsr.adapter:QuantSR{bits}",
        bits_w=bits,
        bits_a=bits,
        paper="Qin et al., QuantSR: Accurate Low-bit Quantization for Efficient Image Super-Resolution, NeurIPS 2023",
        year=2023,
        url="https://github.com/htqin/QuantSR",
        family="low-bit",
        provenance=(
            "official code. Measured at half depth, as released, with as many blocks as the paper counts (16 of 32); "
            "the code keeps one more (17, and 9 at a quarter: an option). Blocks are ranked by their learned shortcut, "
            "smallest kept (our reading: the code ships one network's order). Super-net on SRResNet and EDSR baseline "
            "only; training settings are unreleased. Everything starts at random; from a full-precision "
            "network's upsampler and tail, as the code can: an option"
        ),
        formula="y = v_w phi(clamp(W / v_w)) * v_a phi(clamp((x + tau_c) / v_a)) + b; phi rounds, with a slope",
        convention="quantsr",
        deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
    )
    for bits in (2, 4)
)
