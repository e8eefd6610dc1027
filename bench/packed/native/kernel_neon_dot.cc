// aarch64 with the dot product of signed bytes: four channels of four output channels in one instruction.
#include "kernels.h"

#include <arm_neon.h>

namespace bisr::neon_dot {
namespace {

template <int kPixels>
void tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    constexpr int kVectors = kChannelBlock / 4;
    constexpr std::size_t kUnitBytes = kChannelBlock * kGroupBytes;
    const std::size_t tap_bytes = static_cast<std::size_t>(span.depth) * kUnitBytes;
    const unsigned char* weights = span.weights + block * span.taps_total * tap_bytes;
    int32x4_t total[kPixels][kVectors];
    for (int v = 0; v < kVectors; ++v) {
        for (int p = 0; p < kPixels; ++p) {
            total[p][v] = vld1q_s32(span.start + block * kChannelBlock + 4 * v);
        }
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input + pixel * span.pixel_stride;
        const unsigned char* weight = weights + span.taps[t].index * tap_bytes;
        for (int i = 0; i < span.depth; ++i, input += kGroupBytes, weight += kUnitBytes) {
            int8x16_t group[kPixels];
            for (int p = 0; p < kPixels; ++p) {
                const auto* four = reinterpret_cast<const std::int32_t*>(input + p * span.pixel_stride);
                group[p] = vreinterpretq_s8_s32(vld1q_dup_s32(four));
            }
            for (int v = 0; v < kVectors; ++v) {
                const int8x16_t lanes = vld1q_s8(reinterpret_cast<const std::int8_t*>(weight + 16 * v));
                for (int p = 0; p < kPixels; ++p) {
                    total[p][v] = vdotq_s32(total[p][v], lanes, group[p]);
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

} // namespace

void accumulate(const Span& span, std::int32_t* sums) {
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; p + 3 <= span.pixels; p += 3) {
            tile<3>(span, p, block, sums);
        }
        for (; p < span.pixels; ++p) {
            tile<1>(span, p, block, sums);
        }
    }
}

} // namespace bisr::neon_dot
