// NEON (aarch64): small integers on both sides, as int16 in widening multiplications. Rows and weights of the kernel
// that has the dot product of bytes are laid out here too.
#include "kernels.h"

#include <arm_neon.h>

namespace bisr::neon {
namespace {

// Eight of q = rint(clamp((x + shift) / step, low, high)) - zero. The larger of NaN and a number is the number.
inline int16x8_t quantized(const float* x, const float* shift, const UniformInput& input) {
    int16x4_t halves[2];
    for (int h = 0; h < 2; ++h) {
        float32x4_t v = vld1q_f32(x + 4 * h);
        if (shift != nullptr) {
            v = vaddq_f32(v, vld1q_f32(shift + 4 * h));
        }
        v = vmaxnmq_f32(vdivq_f32(v, vdupq_n_f32(input.step)), vdupq_n_f32(input.low));
        v = vminnmq_f32(v, vdupq_n_f32(input.high));
        halves[h] = vmovn_s32(vsubq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(input.zero)));
    }
    return vcombine_s16(halves[0], halves[1]);
}

// Rows of int16 (kGroup 2) or of bytes (kGroup 4).
template <int kGroup>
void quantize(const float* x, int pixels, int channels, const UniformInput& input, unsigned char* row) {
    constexpr int kBytes = kGroupBytes / kGroup;
    const int row_bytes = (channels + kGroup - 1) / kGroup * kGroupBytes, whole = channels / 8 * 8;
    const auto store = [](unsigned char* target, int16x8_t q) {
        if (kGroup == 2) {
            vst1q_s16(reinterpret_cast<std::int16_t*>(target), q);
        } else {
            vst1_s8(reinterpret_cast<std::int8_t*>(target), vmovn_s16(q));
        }
    };
    for (int p = 0; p < pixels; ++p, x += channels, row += row_bytes) {
        for (int c = 0; c < whole; c += 8) {
            store(row + c * kBytes, quantized(x + c, input.shift != nullptr ? input.shift + c : nullptr, input));
        }
        if (whole == channels) {
            continue;
        }
        float values[8] = {}, shift[8] = {};
        alignas(16) unsigned char packed[16];
        for (int c = whole; c < channels; ++c) {
            values[c - whole] = x[c];
            shift[c - whole] = input.shift != nullptr ? input.shift[c] : 0.0f;
        }
        store(packed, quantized(values, input.shift != nullptr ? shift : nullptr, input));
        for (int i = whole * kBytes; i < row_bytes; ++i) {
            row[i] = i < channels * kBytes ? packed[i - whole * kBytes] : 0;
        }
    }
}

// prepared: int8 [block][tap][group of four][kChannelBlock][4]
void prepare_bytes(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::int8_t*>(prepared);
    const int groups = (channels + 3) / 4;
    for (int co = 0; co < out_channels; ++co) {
        for (int tap = 0; tap < taps; ++tap) {
            const std::size_t first = (static_cast<std::size_t>(co / kChannelBlock) * taps + tap) * groups;
            for (int c = 0; c < channels; ++c) {
                out[((first + c / 4) * kChannelBlock + co % kChannelBlock) * 4 + c % 4] = *weights++;
            }
        }
    }
}

// Weights as `portable::prepare_integer` lays them out.
template <int kPixels>
void tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    constexpr int kVectors = kChannelBlock / 4;
    const std::size_t tap_weights = static_cast<std::size_t>(span.depth) * 2 * kChannelBlock;
    const auto* weights = reinterpret_cast<const std::int16_t*>(span.weights) + block * span.taps_total * tap_weights;
    int32x4_t total[kPixels][kVectors];
    for (int v = 0; v < kVectors; ++v) {
        for (int p = 0; p < kPixels; ++p) {
            total[p][v] = vld1q_s32(span.start + block * kChannelBlock + 4 * v);
        }
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input + pixel * span.pixel_stride;
        const std::int16_t* weight = weights + span.taps[t].index * tap_weights;
        for (int c = 0; c < 2 * span.depth; ++c, input += 2, weight += kChannelBlock) {
            int16x8_t value[kPixels];
            for (int p = 0; p < kPixels; ++p) {
                value[p] = vld1q_dup_s16(reinterpret_cast<const std::int16_t*>(input + p * span.pixel_stride));
            }
            for (int v = 0; v < kVectors; v += 2) {
                const int16x8_t lanes = vld1q_s16(weight + 4 * v);
                for (int p = 0; p < kPixels; ++p) {
                    total[p][v] = vmlal_s16(total[p][v], vget_low_s16(lanes), vget_low_s16(value[p]));
                    total[p][v + 1] = vmlal_high_s16(total[p][v + 1], lanes, value[p]);
                }
            }
        }
    }
    for (int p = 0; p < kPixels; ++p) {
        std::int32_t* out = sums + static_cast<std::size_t>((pixel + p) * span.blocks + block) * kChannelBlock;
        for (int v = 0; v < kVectors; ++v) {
            vst1q_s32(out + 4 * v, total[p][v]);
        }
    }
}

void accumulate(const Span& span, std::int32_t* sums) {
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; p + 2 <= span.pixels; p += 2) {
            tile<2>(span, p, block, sums);
        }
        for (; p < span.pixels; ++p) {
            tile<1>(span, p, block, sums);
        }
    }
}

} // namespace

const IntegerOps integer{"neon", 2, kGroupBytes, 0, false, 0, quantize<2>, portable::prepare_integer, accumulate};
const IntegerOps bytes{"neon_dot", 4, kGroupBytes, 127, false, 0, quantize<4>, prepare_bytes, neon_dot::accumulate};

} // namespace bisr::neon
