// A layer's input: from floats to what lies at rest, and on into the rows that its kernel reads.
#include "layer_parts.h"

#include <algorithm>

namespace bisr {
namespace {

// Signs as integers, for the rare layer with sign inputs and weights of several bits.
template <typename T>
void signs_as_integers(const float* x, int pixels, int channels, int padded, const SignQuantizer& sign, int zero, T* row) {
    for (int p = 0; p < pixels; ++p, x += channels, row += padded) {
        for (int c = 0; c < channels; ++c) {
            const bool flip = sign.flip[c / 64] >> c % 64 & 1;
            row[c] = static_cast<T>(((x[c] >= sign.threshold[c]) != flip ? 1 : -1) - zero);
        }
        std::fill(row + channels, row + padded, T{0});
    }
}

} // namespace

void Layer::pack(const float* x, int pixels, unsigned char* packed) const {
    const int channels = geometry_.in_channels;
    if (binary_ != nullptr) {
        binary_->pack(x, pixels, channels, sign_.threshold.data(), sign_.flip.data(),
                      reinterpret_cast<std::uint64_t*>(packed));
        return;
    }
    const int padded = depth_ * integer_->group;
    if (!signs_) {
        const float* shift = uniform_.shift.empty() ? nullptr : uniform_.shift.data();
        integer_->quantize(x, pixels, channels, {shift, uniform_.step, uniform_.low, uniform_.high, zero_}, packed);
    } else if (integer_->most > 0) {
        signs_as_integers(x, pixels, channels, padded, sign_, zero_, packed);
    } else {
        signs_as_integers(x, pixels, channels, padded, sign_, zero_, reinterpret_cast<std::int16_t*>(packed));
    }
}

void Layer::fill_row(const Image& image, std::size_t pixel, int pixels, unsigned char* row,
                     const Scratch& scratch) const {
    const unsigned char* packed = scratch.packed;
    if (image.packed != nullptr) {
        packed = image.packed + pixel * packed_bytes_;
    } else {
        pack(image.x + pixel * geometry_.in_channels, pixels, expands() ? scratch.packed : row);
    }
    if (expands()) {
        expand(packed, pixels, row);
    }
}

void Layer::expand(const unsigned char* packed, int pixels, unsigned char* row) const {
    binary_->expand(reinterpret_cast<const std::uint64_t*>(packed), pixels, geometry_.in_channels, row);
}

void Layer::fill_padding(unsigned char* row) const {
    // The byte of a quantized zero; a binary row has bytes of -1 and 1.
    std::fill_n(row, row_padding_ * pixel_bytes_, static_cast<unsigned char>(-zero_));
}

} // namespace bisr
