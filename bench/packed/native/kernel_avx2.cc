// AVX2: signs on both sides, and the epilogue. Output channels lie in byte lanes: for each 4-bit nibble of the packed
// input, one shuffle looks up, for 32 output channels at once, how many of the nibble's bits differ from each channel's
// weight nibble.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx2 {
namespace {

// A word of the packed row becomes 16 bytes, each holding a nibble times 16: the offset of its row in kDiffering.
// Order: the low nibbles of the word's eight bytes, then the high nibbles.
constexpr int kNibbles = 16;
constexpr std::uint64_t kHighNibbles = 0xf0f0f0f0f0f0f0f0u;

struct DifferingBits {
    alignas(64) unsigned char row[16][16];
};

constexpr DifferingBits differing_bits() {
    DifferingBits table{};
    for (int a = 0; a < 16; ++a) {
        for (int b = 0; b < 16; ++b) {
            const int x = a ^ b;
            table.row[a][b] = static_cast<unsigned char>((x & 1) + (x >> 1 & 1) + (x >> 2 & 1) + (x >> 3 & 1));
        }
    }
    return table;
}

constexpr DifferingBits kDiffering = differing_bits();

void pack(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
          std::uint64_t* words) {
    for (int p = 0; p < pixels; ++p, x += channels) {
        for (int c0 = 0, w = 0; c0 < channels; c0 += 64, ++w) {
            const int end = channels - c0 < 64 ? channels : c0 + 64;
            std::uint64_t bits = 0;
            int c = c0;
            for (; c + 8 <= end; c += 8) {
                const __m256 at_least = _mm256_cmp_ps(_mm256_loadu_ps(x + c), _mm256_loadu_ps(threshold + c), _CMP_GE_OQ);
                bits |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm256_movemask_ps(at_least))) << (c - c0);
            }
            for (; c < end; ++c) {
                bits |= static_cast<std::uint64_t>(x[c] >= threshold[c]) << (c - c0);
            }
            *words++ = bits ^ flip[w];
        }
    }
}

void expand(const std::uint64_t* words, int pixels, int channels, unsigned char* row) {
    auto* out = reinterpret_cast<std::uint64_t*>(row);
    for (int i = 0; i < pixels * ((channels + 63) / 64); ++i) {
        out[2 * i] = words[i] << 4 & kHighNibbles;
        out[2 * i + 1] = words[i] & kHighNibbles;
    }
}

// prepared: u8 [block][tap][word][kNibbles][kChannelBlock], nibbles in the packed row's order
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    const int depth = taps * words;
    for (int co = 0; co < out_channels; ++co) {
        const int block = co / kChannelBlock, lane = co % kChannelBlock;
        for (int i = 0; i < depth; ++i) {
            const std::uint64_t word = bits[co * depth + i];
            unsigned char* out = prepared + (static_cast<std::size_t>(block) * depth + i) * kNibbles * kChannelBlock + lane;
            for (int nibble = 0; nibble < kNibbles; ++nibble) {
                const int shift = nibble < 8 ? 8 * nibble : 8 * (nibble - 8) + 4;
                out[nibble * kChannelBlock] = static_cast<unsigned char>(word >> shift & 15);
            }
        }
    }
}

// sums -= 2 * ones, for 16 lanes of 16 bits in the order in which unpacking bytes leaves them: 0-7 | 16-23 of 32.
inline void subtract_twice(std::int32_t* sums, __m256i ones) {
    const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(ones));
    const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(ones, 1));
    auto* first = reinterpret_cast<__m256i*>(sums);
    auto* second = reinterpret_cast<__m256i*>(sums + 16);
    _mm256_storeu_si256(first, _mm256_sub_epi32(_mm256_loadu_si256(first), _mm256_slli_epi32(low, 1)));
    _mm256_storeu_si256(second, _mm256_sub_epi32(_mm256_loadu_si256(second), _mm256_slli_epi32(high, 1)));
}

// One word of kPixels neighbouring pixels against kBlocks channel blocks: bytes += differing bits.
template <int kPixels, int kBlocks>
[[gnu::always_inline]] inline void add_word(const unsigned char* input, std::size_t pixel_stride,
                                            const unsigned char* weight, std::size_t block_bytes,
                                            __m256i (&bytes)[kPixels][kBlocks]) {
    // The empty assembly keeps these in registers: GCC would otherwise reload offsets from the stack in every step.
    const unsigned char* inputs[kPixels];
    for (int p = 0; p < kPixels; ++p) {
        inputs[p] = input + p * pixel_stride;
        asm("" : "+r"(inputs[p]));
    }
    const unsigned char* weights[kBlocks];
    for (int b = 0; b < kBlocks; ++b) {
        weights[b] = weight + b * block_bytes;
        asm("" : "+r"(weights[b]));
    }
#pragma GCC unroll 16
    for (int nibble = 0; nibble < kNibbles; ++nibble) {
        __m256i lanes[kBlocks];
        for (int b = 0; b < kBlocks; ++b) {
            lanes[b] = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights[b] + nibble * kChannelBlock));
        }
        for (int p = 0; p < kPixels; ++p) {
            const unsigned char* row = kDiffering.row[0] + inputs[p][nibble];
            const __m256i table = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(row)));
            for (int b = 0; b < kBlocks; ++b) {
                bytes[p][b] = _mm256_add_epi8(bytes[p][b], _mm256_shuffle_epi8(table, lanes[b]));
                // Add now: GCC would otherwise regroup the sums of all nibbles and spill every lookup.
                asm("" : "+x"(bytes[p][b]));
            }
        }
    }
}

// kPixels neighbouring output pixels times kBlocks channel blocks.
template <int kPixels, int kBlocks>
void binary_tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    // A byte holds 63 lookups of at most 4: three words. 16 bits hold 341 such flushes of at most 192.
    constexpr int kWordsPerFlush = 3, kFlushesPerDrain = 341;
    constexpr std::size_t kWordBytes = kNibbles * kChannelBlock;
    const std::size_t block_bytes = static_cast<std::size_t>(span.taps_total) * span.depth * kWordBytes;
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    const std::size_t pixel_stride = span.pixel_stride;
    const unsigned char* weights = span.weights + block * block_bytes;
    std::int32_t* tile_sums = sums + pixel * padded + static_cast<std::size_t>(block) * kChannelBlock;
    const __m256i zero = _mm256_setzero_si256();

    const __m256i offset = _mm256_set1_epi32(span.offset);
    for (int p = 0; p < kPixels; ++p) {
        for (int i = 0; i < kBlocks * kChannelBlock; i += 8) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile_sums + p * padded + i), offset);
        }
    }

    int tap = 0, word = 0;
    while (tap < span.tap_count) {
        __m256i halves[kPixels][kBlocks][2] = {};
        for (int flush = 0; flush < kFlushesPerDrain && tap < span.tap_count; ++flush) {
            __m256i bytes[kPixels][kBlocks] = {};
            for (int w = 0; w < kWordsPerFlush && tap < span.tap_count; ++w) {
                const Tap& at = span.taps[tap];
                add_word(at.input + pixel * pixel_stride + word * kNibbles, pixel_stride,
                         weights + (static_cast<std::size_t>(at.index) * span.depth + word) * kWordBytes, block_bytes,
                         bytes);
                if (++word == span.depth) {
                    word = 0;
                    ++tap;
                }
            }
            for (int p = 0; p < kPixels; ++p) {
                for (int b = 0; b < kBlocks; ++b) {
                    halves[p][b][0] = _mm256_add_epi16(halves[p][b][0], _mm256_unpacklo_epi8(bytes[p][b], zero));
                    halves[p][b][1] = _mm256_add_epi16(halves[p][b][1], _mm256_unpackhi_epi8(bytes[p][b], zero));
                }
            }
        }
        for (int p = 0; p < kPixels; ++p) {
            for (int b = 0; b < kBlocks; ++b) {
                std::int32_t* out = tile_sums + p * padded + b * kChannelBlock;
                subtract_twice(out, halves[p][b][0]);
                subtract_twice(out + 8, halves[p][b][1]);
            }
        }
    }
}

template <int kBlocks>
void binary_blocks(const Span& span, int block, std::int32_t* sums) {
    int p = 0;
    for (; p + 4 <= span.pixels; p += 4) {
        binary_tile<4, kBlocks>(span, p, block, sums);
    }
    for (; p < span.pixels; ++p) {
        binary_tile<1, kBlocks>(span, p, block, sums);
    }
}

void accumulate_binary(const Span& span, std::int32_t* sums) {
    int block = 0;
    for (; block + 2 <= span.blocks; block += 2) {
        binary_blocks<2>(span, block, sums);
    }
    if (block < span.blocks) {
        binary_blocks<1>(span, block, sums);
    }
}

// Eight channels of one pixel; the shortcut is ignored without a skip.
template <Skip kSkip>
inline __m256 finish(const EpilogueParams& params, const EpilogueSpan& span, const std::int32_t* sums, __m256 map, int c,
                     __m256 shortcut) {
    const auto as_float = [](const std::int32_t* lanes) {
        return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes)));
    };
    __m256 y = _mm256_mul_ps(_mm256_loadu_ps(params.scale + c), as_float(sums + c));
    for (int b = 1; b < params.bases; ++b) {
        const __m256 scale = _mm256_loadu_ps(params.scale + b * span.padded + c);
        y = _mm256_add_ps(y, _mm256_mul_ps(scale, as_float(sums + b * kMaxSpan * span.padded + c)));
    }
    y = _mm256_add_ps(_mm256_mul_ps(y, map), _mm256_loadu_ps(params.bias + c));
    if (kSkip == Skip::before) {
        y = _mm256_add_ps(y, shortcut);
    }
    y = _mm256_add_ps(y, _mm256_loadu_ps(params.pre + c));
    const __m256 sloped = _mm256_mul_ps(y, _mm256_loadu_ps(params.slope + c));
    y = _mm256_blendv_ps(sloped, y, _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GE_OQ));
    y = _mm256_add_ps(y, _mm256_loadu_ps(params.post + c));
    if (kSkip == Skip::after) {
        y = _mm256_add_ps(y, shortcut);
    }
    return y;
}

// Parameters by value: the stores to `out` could otherwise alias them, and each would be reloaded for every vector.
template <Skip kSkip>
void epilogue_with(const EpilogueParams params, const EpilogueSpan span) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int whole = params.channels / 8 * 8;
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(params.channels - whole), lanes);
    const __m256 none = _mm256_setzero_ps();
    const std::int32_t* sums = span.sums;
    const float* skip = span.skip;
    float* out = span.out;
    for (int p = 0; p < span.pixels; ++p, sums += span.padded, out += params.channels) {
        const __m256 map = _mm256_set1_ps(span.scale_map != nullptr ? span.scale_map[p] : 1.0f);
        for (int c = 0; c < whole; c += 8) {
            const __m256 shortcut = kSkip == Skip::none ? none : _mm256_loadu_ps(skip + c);
            _mm256_storeu_ps(out + c, finish<kSkip>(params, span, sums, map, c, shortcut));
        }
        if (whole < params.channels) {
            const __m256 shortcut = kSkip == Skip::none ? none : _mm256_maskload_ps(skip + whole, mask);
            _mm256_maskstore_ps(out + whole, mask, finish<kSkip>(params, span, sums, map, whole, shortcut));
        }
        if (kSkip != Skip::none) {
            skip += params.channels;
        }
    }
}

} // namespace

void epilogue(const EpilogueParams& params, const EpilogueSpan& span) {
    switch (params.skip) {
    case Skip::none:
        return epilogue_with<Skip::none>(params, span);
    case Skip::before:
        return epilogue_with<Skip::before>(params, span);
    case Skip::after:
        return epilogue_with<Skip::after>(params, span);
    }
}

const BinaryOps binary{"avx2", kNibbles, kNibbles * kChannelBlock, false, pack, expand, prepare,
                       accumulate_binary};

} // namespace bisr::avx2
