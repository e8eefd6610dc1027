from bench.contract import Card

CARD = Card(
    key="bam",
    name="BAM",
    adapter="algorithms.bam.adapter:BAM",
    bits_w=1,
    bits_a=1,
    paper="Xin et al., Binarized Neural Network for Single Image Super Resolution, ECCV 2020",
    year=2020,
    url="https://doi.org/10.1007/978-3-030-58548-8_6",
    family="binary",
    provenance=(
        "our interpretation of the idea, no official code: one attention module shared by all layers (channels through "
        "a bottleneck of 8, space through 7x7), which meets the published extra cost of 1.97 G operations and 1 K "
        "parameters at x2 and x4. Standardised weights are recalled (hypothesis)"
    ),
    formula="x_(i+1) = x_i + attention(x_i) BN(alpha_o sign(W'_o) * sign(x_i)), x_i = accumulated outputs",
    deploy={"Larq": "full-precision attention on the input", "daBNN": "full-precision attention on the input"},
)
