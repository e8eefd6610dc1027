// AVX-512 with VPOPCNTDQ: eight output channels of one 64-channel word in the lanes of a vector; xor, count, add.
//
// Words are taken by threes where all taps of the span are valid. With a, b, c the xors of input and weight, a full adder
// turns their three counts into two: popcount(a) + popcount(b) + popcount(c) = popcount(s) + 2 popcount(m) with
// s = a ^ b ^ c and m = majority(a, b, c). As s is also (x1 ^ x2 ^ x3) ^ (w1 ^ w2 ^ w3), and the weights' part is known
// beforehand, c is never needed: eight operations in place of nine, and two counts in place of three.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx512_vpopcnt {
namespace {

constexpr int kLanes = 8;
constexpr int kVectors = kChannelBlock / kLanes;
constexpr std::size_t kUnitBytes = kChannelBlock * sizeof(std::uint64_t);

// prepared: u64 [block][tap, word][kChannelBlock]. Of each three units in a row, the last holds the xor of the three.
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::uint64_t*>(prepared);
    const int depth = taps * words;
    for (int co = 0; co < out_channels; ++co, bits += depth) {
        const int block = co / kChannelBlock, lane = co % kChannelBlock;
        for (int i = 0; i < depth; ++i) {
            out[(static_cast<std::size_t>(block) * depth + i) * kChannelBlock + lane] =
                i % 3 == 2 ? bits[i - 2] ^ bits[i - 1] ^ bits[i] : bits[i];
        }
    }
}

inline __m512i load(const unsigned char* unit, int v) { return _mm512_loadu_si512(unit + 64 * v); }

// The weights of unit i of a block.
inline __m512i plain_weights(const unsigned char* weights, std::size_t i, int v) {
    const unsigned char* unit = weights + i * kUnitBytes;
    const __m512i lanes = load(unit, v);
    return i % 3 != 2 ? lanes
                      : _mm512_xor_si512(lanes, _mm512_xor_si512(load(unit - kUnitBytes, v), load(unit - 2 * kUnitBytes, v)));
}

inline const unsigned char* block_weights(const Span& span, int block) {
    return span.weights + static_cast<std::size_t>(block) * span.taps_total * span.depth * kUnitBytes;
}

// ones[kPixels][kVectors] -> offset - 2 * ones
template <int kPixels>
inline void finish(const Span& span, int pixel, int block, const __m512i (&ones)[kPixels][kVectors], std::int32_t* sums) {
    const __m512i offset = _mm512_set1_epi64(span.offset);
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    for (int p = 0; p < kPixels; ++p) {
        std::int32_t* out = sums + (pixel + p) * padded + static_cast<std::size_t>(block) * kChannelBlock;
        for (int v = 0; v < kVectors; ++v) {
            const __m512i sum = _mm512_sub_epi64(offset, _mm512_add_epi64(ones[p][v], ones[p][v]));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kLanes * v), _mm512_cvtepi64_epi32(sum));
        }
    }
}

// Any taps, one word at a time.
template <int kPixels>
void tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    const unsigned char* weights = block_weights(span, block);
    __m512i ones[kPixels][kVectors];
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            ones[p][v] = _mm512_setzero_si512();
        }
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input + pixel * span.pixel_stride;
        const std::size_t first = static_cast<std::size_t>(span.taps[t].index) * span.depth;
        for (int w = 0; w < span.depth; ++w, input += 8) {
            __m512i lanes[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                lanes[v] = plain_weights(weights, first + w, v);
            }
            for (int p = 0; p < kPixels; ++p) {
                const auto* word = reinterpret_cast<const long long*>(input + p * span.pixel_stride);
                const __m512i signs = _mm512_set1_epi64(*word);
                for (int v = 0; v < kVectors; ++v) {
                    const __m512i differing = _mm512_popcnt_epi64(_mm512_xor_si512(signs, lanes[v]));
                    ones[p][v] = _mm512_add_epi64(ones[p][v], differing);
                }
            }
        }
    }
    finish<kPixels>(span, pixel, block, ones, sums);
}

// All taps, a multiple of three words in all.
template <int kPixels>
void tile_by_threes(const Span& span, int pixel, int block, std::int32_t* sums) {
    const unsigned char* weight = block_weights(span, block);
    const std::size_t stride = span.pixel_stride;
    __m512i single[kPixels][kVectors], twice[kPixels][kVectors];
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            single[p][v] = twice[p][v] = _mm512_setzero_si512();
        }
    }
    int tap = 0, word = 0;
    for (int left = span.tap_count * span.depth; left > 0; left -= 3, weight += 3 * kUnitBytes) {
        const unsigned char* input[3];
        for (const unsigned char*& from : input) {
            from = span.taps[tap].input + pixel * stride + 8 * word;
            if (++word == span.depth) {
                word = 0;
                ++tap;
            }
        }
        long long threes[kPixels];
        for (int p = 0; p < kPixels; ++p) {
            const auto word = [&](int i) { return *reinterpret_cast<const long long*>(input[i] + p * stride); };
            threes[p] = word(0) ^ word(1) ^ word(2);
        }
        // For all the compiler knows these point elsewhere, so that vectors are loaded: a broadcast from a register would
        // take one of the two vector ports.
        const unsigned char *first = input[0], *second = input[1];
        const long long* all_three = threes;
        asm("" : "+r"(first), "+r"(second), "+r"(all_three));
        __m512i x1[kPixels], x2[kPixels], all[kPixels];
        for (int p = 0; p < kPixels; ++p) {
            x1[p] = _mm512_set1_epi64(*reinterpret_cast<const long long*>(first + p * stride));
            x2[p] = _mm512_set1_epi64(*reinterpret_cast<const long long*>(second + p * stride));
            all[p] = _mm512_set1_epi64(all_three[p]);
        }
        for (int v = 0; v < kVectors; ++v) {
            __m512i w1 = load(weight, v), w2 = load(weight + kUnitBytes, v), w3 = load(weight + 2 * kUnitBytes, v);
            // One load for all pixels: GCC would otherwise repeat it in every xor.
            asm("" : "+v"(w1), "+v"(w2), "+v"(w3));
            for (int p = 0; p < kPixels; ++p) {
                const __m512i a = _mm512_xor_si512(x1[p], w1);
                const __m512i b = _mm512_xor_si512(x2[p], w2);
                const __m512i s = _mm512_xor_si512(all[p], w3);
                // majority(a, b, a ^ b ^ s): a where a equals b, else the opposite of s.
                const __m512i m = _mm512_ternarylogic_epi64(a, b, s, 0xd4);
                single[p][v] = _mm512_add_epi64(single[p][v], _mm512_popcnt_epi64(s));
                twice[p][v] = _mm512_add_epi64(twice[p][v], _mm512_popcnt_epi64(m));
            }
        }
    }
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            single[p][v] = _mm512_add_epi64(single[p][v], _mm512_add_epi64(twice[p][v], twice[p][v]));
        }
    }
    finish<kPixels>(span, pixel, block, single, sums);
}

void accumulate(const Span& span, std::int32_t* sums) {
    const bool by_threes = span.tap_count == span.taps_total && span.tap_count * span.depth % 3 == 0;
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; by_threes && p + 2 <= span.pixels; p += 2) {
            tile_by_threes<2>(span, p, block, sums);
        }
        for (; p + 4 <= span.pixels; p += 4) {
            tile<4>(span, p, block, sums);
        }
        for (; p < span.pixels; ++p) {
            tile<1>(span, p, block, sums);
        }
    }
}

} // namespace

const BinaryOps binary{"avx512_vpopcnt", 8, kUnitBytes, false, avx512::pack, nullptr, prepare, accumulate};

} // namespace bisr::avx512_vpopcnt
