from bench.contract import Card

CARD = Card(
    key="dabc",
    name="DABC",
    adapter="algorithms.dabc.adapter:DABC",
    bits_w=1,
    bits_a=1,
    paper="Zhang et al., Binarized Low-light Raw Video Enhancement, CVPR 2024",
    year=2024,
    url="https://github.com/ying-fu/BRVE",
    family="binary",
    provenance=(
        "official code's unit, made for raw video; as a super-resolution body, with BBCU's recipe, it is our reading. "
        "The convolution runs packed; the scale of each image and channel, RPReLU and the shortcut are float work "
        "beside it. The deviation is that of all pixels, not the sample's estimate"
    ),
    formula="y = x + RPReLU(s_c(z) alpha_o sign(W_o) * sign(z)), z = x + m_c, s from mean|z|, mean z, std z",
    deploy={
        "Larq": "channels are rescaled by statistics of each image",
        "daBNN": "channels are rescaled by statistics of each image",
    },
)
