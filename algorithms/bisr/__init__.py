from bench.contract import Card

CARD = Card(
    key="bisr",
    name="BiSR-Conv",
    adapter="algorithms.bisr.adapter:BiSR",
    bits_w=1,
    bits_a=1,
    paper="Cai et al., Binarized Spectral Compressive Imaging, NeurIPS 2023",
    year=2023,
    url="https://github.com/caiyuanhao1998/BiSCI",
    family="binary",
    provenance=(
        "official code's unit, made for hyperspectral images; as a super-resolution body, with BBCU's recipe, and on "
        "linear layers it is our reading. A negative gain inverts the comparison, 0 makes the input constant"
    ),
    formula="y = x + RPReLU(alpha_o sign(W_o) * sign(k_c x + b_c)), sign' = b (1 - tanh(b z)^2), b learned",
    deploy={"Larq": "", "daBNN": "needs a threshold per channel"},
)
