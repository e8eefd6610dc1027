// NEON (aarch64): signs on both sides, and the epilogue. Output channels lie in byte lanes: one byte of the packed input
// against the same byte of 16 channels' weights; xor, count the ones of each byte, add.
#include "kernels.h"

#include <arm_neon.h>

namespace bisr::neon {
namespace {

constexpr int kWordBytes = 8;
constexpr int kLanes = 16;
constexpr int kVectors = kChannelBlock / kLanes; // of one channel block

// All ones where x >= threshold, 16 channels in bytes.
inline uint8x16_t at_least(const float* x, const float* threshold) {
    uint16x8_t halves[2];
    for (int h = 0; h < 2; ++h, x += 8, threshold += 8) {
        const uint32x4_t low = vcgeq_f32(vld1q_f32(x), vld1q_f32(threshold));
        const uint32x4_t high = vcgeq_f32(vld1q_f32(x + 4), vld1q_f32(threshold + 4));
        halves[h] = vuzp1q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
    }
    return vuzp1q_u8(vreinterpretq_u8_u16(halves[0]), vreinterpretq_u8_u16(halves[1]));
}

// Bits of 64 channels. Each byte keeps the one bit of its place among eight; adding neighbours thrice gathers them.
inline std::uint64_t whole_word(const float* x, const float* threshold) {
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    uint8x16_t bits[4];
    for (int i = 0; i < 4; ++i) {
        bits[i] = vandq_u8(at_least(x + 16 * i, threshold + 16 * i), place);
    }
    const uint8x16_t pairs = vpaddq_u8(vpaddq_u8(bits[0], bits[1]), vpaddq_u8(bits[2], bits[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}

void pack(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
          std::uint64_t* words) {
    for (int p = 0; p < pixels; ++p, x += channels) {
        for (int c0 = 0, w = 0; c0 < channels; c0 += 64, ++w) {
            std::uint64_t bits = 0;
            if (c0 + 64 <= channels) {
                bits = whole_word(x + c0, threshold + c0);
            } else {
                for (int c = c0; c < channels; ++c) {
                    bits |= static_cast<std::uint64_t>(x[c] >= threshold[c]) << (c - c0);
                }
            }
            *words++ = bits ^ flip[w];
        }
    }
}

// prepared: u8 [block][tap][word][kWordBytes][kChannelBlock]
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    const std::size_t depth = static_cast<std::size_t>(taps) * words;
    for (int co = 0; co < out_channels; ++co) {
        const int block = co / kChannelBlock, lane = co % kChannelBlock;
        for (std::size_t i = 0; i < depth; ++i) {
            const std::uint64_t word = bits[co * depth + i];
            unsigned char* out = prepared + (block * depth + i) * kWordBytes * kChannelBlock + lane;
            for (int byte = 0; byte < kWordBytes; ++byte) {
                out[byte * kChannelBlock] = static_cast<unsigned char>(word >> 8 * byte);
            }
        }
    }
}

// One word of kPixels neighbouring pixels against kBlocks channel blocks: bytes += differing bits.
template <int kPixels, int kBlocks>
inline void add_word(const unsigned char* input, std::size_t pixel_stride, const unsigned char* weight,
                     std::size_t block_bytes, uint8x16_t (&bytes)[kPixels][kBlocks * kVectors]) {
    for (int byte = 0; byte < kWordBytes; ++byte) {
        uint8x16_t lanes[kBlocks * kVectors];
        for (int v = 0; v < kBlocks * kVectors; ++v) {
            lanes[v] = vld1q_u8(weight + v / kVectors * block_bytes + byte * kChannelBlock + v % kVectors * kLanes);
        }
        for (int p = 0; p < kPixels; ++p) {
            const uint8x16_t signs = vld1q_dup_u8(input + p * pixel_stride + byte);
            for (int v = 0; v < kBlocks * kVectors; ++v) {
                bytes[p][v] = vaddq_u8(bytes[p][v], vcntq_u8(veorq_u8(signs, lanes[v])));
            }
        }
    }
}

// sums -= 2 * ones
inline void subtract_twice(std::int32_t* sums, uint16x8_t ones) {
    vst1q_s32(sums, vsubq_s32(vld1q_s32(sums), vreinterpretq_s32_u32(vshll_n_u16(vget_low_u16(ones), 1))));
    vst1q_s32(sums + 4, vsubq_s32(vld1q_s32(sums + 4), vreinterpretq_s32_u32(vshll_n_u16(vget_high_u16(ones), 1))));
}

// kPixels neighbouring output pixels times kBlocks channel blocks.
template <int kPixels, int kBlocks>
void tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    // A byte lane grows by at most 8 a byte: three words reach 192. 16 bits hold 341 such flushes.
    constexpr int kWordsPerFlush = 3, kFlushesPerDrain = 341;
    constexpr int kAll = kBlocks * kVectors;
    constexpr std::size_t kUnitBytes = kWordBytes * kChannelBlock;
    const std::size_t block_bytes = static_cast<std::size_t>(span.taps_total) * span.depth * kUnitBytes;
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    const unsigned char* weights = span.weights + block * block_bytes;
    std::int32_t* tile_sums = sums + pixel * padded + static_cast<std::size_t>(block) * kChannelBlock;
    for (int p = 0; p < kPixels; ++p) {
        for (int i = 0; i < kBlocks * kChannelBlock; i += 4) {
            vst1q_s32(tile_sums + p * padded + i, vdupq_n_s32(span.offset));
        }
    }
    int tap = 0, word = 0;
    while (tap < span.tap_count) {
        uint16x8_t halves[kPixels][kAll][2] = {};
        for (int flush = 0; flush < kFlushesPerDrain && tap < span.tap_count; ++flush) {
            uint8x16_t bytes[kPixels][kAll] = {};
            for (int w = 0; w < kWordsPerFlush && tap < span.tap_count; ++w) {
                const Tap& at = span.taps[tap];
                add_word<kPixels, kBlocks>(
                    at.input + pixel * span.pixel_stride + word * kWordBytes, span.pixel_stride,
                    weights + (static_cast<std::size_t>(at.index) * span.depth + word) * kUnitBytes, block_bytes, bytes);
                if (++word == span.depth) {
                    word = 0;
                    ++tap;
                }
            }
            for (int p = 0; p < kPixels; ++p) {
                for (int v = 0; v < kAll; ++v) {
                    halves[p][v][0] = vaddw_u8(halves[p][v][0], vget_low_u8(bytes[p][v]));
                    halves[p][v][1] = vaddw_high_u8(halves[p][v][1], bytes[p][v]);
                }
            }
        }
        for (int p = 0; p < kPixels; ++p) {
            for (int v = 0; v < kAll; ++v) {
                subtract_twice(tile_sums + p * padded + v * kLanes, halves[p][v][0]);
                subtract_twice(tile_sums + p * padded + v * kLanes + 8, halves[p][v][1]);
            }
        }
    }
}

template <int kBlocks>
void blocks(const Span& span, int block, std::int32_t* sums) {
    int p = 0;
    for (; p + 4 <= span.pixels; p += 4) {
        tile<4, kBlocks>(span, p, block, sums);
    }
    for (; p < span.pixels; ++p) {
        tile<1, kBlocks>(span, p, block, sums);
    }
}

void accumulate(const Span& span, std::int32_t* sums) {
    int block = 0;
    for (; block + 2 <= span.blocks; block += 2) {
        blocks<2>(span, block, sums);
    }
    if (block < span.blocks) {
        blocks<1>(span, block, sums);
    }
}

// Four channels of one pixel; the shortcut is ignored without a skip. Multiplications and additions stay apart: the
// build forbids contraction.
inline float32x4_t finish(const EpilogueParams& params, const EpilogueSpan& span, const std::int32_t* sums,
                          float32x4_t map, int c, float32x4_t shortcut) {
    float32x4_t y = vmulq_f32(vld1q_f32(params.scale + c), vcvtq_f32_s32(vld1q_s32(sums + c)));
    for (int b = 1; b < params.bases; ++b) {
        const float32x4_t sum = vcvtq_f32_s32(vld1q_s32(sums + b * kMaxSpan * span.padded + c));
        y = vaddq_f32(y, vmulq_f32(vld1q_f32(params.scale + b * params.scale_plane + c), sum));
    }
    y = vaddq_f32(vmulq_f32(y, map), vld1q_f32(params.bias + c));
    if (params.skip == Skip::before) {
        y = vaddq_f32(y, shortcut);
    }
    y = vaddq_f32(y, vld1q_f32(params.pre + c));
    y = vbslq_f32(vcgezq_f32(y), y, vmulq_f32(y, vld1q_f32(params.slope + c)));
    y = vaddq_f32(y, vld1q_f32(params.post + c));
    return params.skip == Skip::after ? vaddq_f32(y, shortcut) : y;
}

} // namespace

// Parameters are copied: the stores to `out` could otherwise alias them, and each would be reloaded for every vector.
void epilogue(const EpilogueParams& given, const EpilogueSpan& work) {
    const EpilogueParams params = given;
    const EpilogueSpan span = work;
    const int whole = params.channels / 4 * 4, rest = params.channels - whole;
    const std::int32_t* sums = span.sums;
    float* out = span.out;
    for (int p = 0; p < span.pixels; ++p, sums += span.padded, out += span.stride) {
        const float32x4_t map = vdupq_n_f32(span.scale_map != nullptr ? span.scale_map[p] : 1.0f);
        const float* skip = params.skip == Skip::none ? nullptr : span.skip + p * span.stride;
        for (int c = 0; c < whole; c += 4) {
            const float32x4_t shortcut = skip != nullptr ? vld1q_f32(skip + c) : vdupq_n_f32(0.0f);
            vst1q_f32(out + c, finish(params, span, sums, map, c, shortcut));
        }
        if (rest > 0) {
            float lanes[4] = {};
            for (int i = 0; skip != nullptr && i < rest; ++i) {
                lanes[i] = skip[whole + i];
            }
            vst1q_f32(lanes, finish(params, span, sums, map, whole, vld1q_f32(lanes)));
            for (int i = 0; i < rest; ++i) {
                out[whole + i] = lanes[i];
            }
        }
    }
}

const BinaryOps binary{"neon", kWordBytes, kWordBytes * kChannelBlock, false, pack, nullptr, prepare, accumulate};

} // namespace bisr::neon
