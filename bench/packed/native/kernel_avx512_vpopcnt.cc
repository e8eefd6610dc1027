// AVX-512 with VPOPCNTDQ: eight output channels of one 64-channel word in the lanes of a vector; xor, count, add.
//
// Where three neighbouring taps of a row are valid, a word of all three is taken at once. With a, b, c the xors of input
// and weight, a full adder turns their three counts into two: popcount(a) + popcount(b) + popcount(c) = popcount(s) +
// 2 popcount(m) with s = a ^ b ^ c and m = majority(a, b, c). As s is also (x1 ^ x2 ^ x3) ^ (w1 ^ w2 ^ w3), and both parts
// are known beforehand, c is never needed: eight operations in place of nine, and two counts in place of three.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx512_vpopcnt {
namespace {

constexpr int kLanes = 8;
constexpr int kVectors = kChannelBlock / kLanes;
constexpr int kThree = 3;
constexpr std::size_t kWordBytes = 2 * sizeof(std::uint64_t); // in a packed row: the word, and the xor with its neighbours'
constexpr std::size_t kUnitBytes = kChannelBlock * sizeof(std::uint64_t);

// The xor of three pixels' words stands with the middle one; the row's ends are the middle of nothing.
void expand(const std::uint64_t* words, int pixels, int channels, unsigned char* row) {
    auto* out = reinterpret_cast<std::uint64_t*>(row);
    const int per_pixel = (channels + 63) / 64, last = (pixels - 1) * per_pixel;
    for (int i = 0; i < pixels * per_pixel; ++i) {
        out[2 * i] = words[i];
        const bool between = i >= per_pixel && i < last;
        out[2 * i + 1] = between ? words[i - per_pixel] ^ words[i] ^ words[i + per_pixel] : 0;
    }
}

// The weights of tap and word lie in this unit of a block: the taps of three for one word, then for the next.
inline std::size_t unit_of(int tap, int word, int taps, int words) {
    const int of_threes = taps / kThree * kThree;
    return tap < of_threes ? static_cast<std::size_t>(tap / kThree * words + word) * kThree + tap % kThree
                           : static_cast<std::size_t>(tap) * words + word;
}

// prepared: u64 [block][unit][kChannelBlock]. Of each three taps, the last holds the xor of the three.
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::uint64_t*>(prepared);
    const int depth = taps * words, of_threes = taps / kThree * kThree;
    for (int co = 0; co < out_channels; ++co, bits += depth) {
        const std::size_t block = co / kChannelBlock;
        for (int tap = 0; tap < taps; ++tap) {
            for (int word = 0; word < words; ++word) {
                const std::uint64_t* from = bits + tap * words + word;
                const bool third = tap < of_threes && tap % kThree == 2;
                out[(block * depth + unit_of(tap, word, taps, words)) * kChannelBlock + co % kChannelBlock] =
                    third ? from[-2 * words] ^ from[-words] ^ from[0] : from[0];
            }
        }
    }
}

inline __m512i load(const unsigned char* unit, int v) { return _mm512_loadu_si512(unit + 64 * v); }

// Loads a vector for all that it meets: GCC would otherwise repeat the load in every operation.
inline __m512i load_once(const unsigned char* unit, int v) {
    __m512i lanes = load(unit, v);
#if defined(__AVX512F__)
    asm("" : "+v"(lanes));
#endif
    return lanes;
}

// The weights of one tap and word.
inline __m512i plain_weights(const Span& span, const unsigned char* weights, int tap, int word, int v) {
    const unsigned char* unit = weights + unit_of(tap, word, span.taps_total, span.depth) * kUnitBytes;
    const __m512i lanes = load(unit, v);
    const bool third = tap < span.taps_total / kThree * kThree && tap % kThree == 2;
    return third ? _mm512_xor_si512(lanes, _mm512_xor_si512(load(unit - kUnitBytes, v), load(unit - 2 * kUnitBytes, v)))
                 : lanes;
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
        for (int w = 0; w < span.depth; ++w, input += kWordBytes) {
            __m512i lanes[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                lanes[v] = plain_weights(span, weights, span.taps[t].index, w, v);
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

// All taps, in neighbouring threes.
template <int kPixels>
void tile_by_threes(const Span& span, int pixel, int block, std::int32_t* sums) {
    const unsigned char* weight = block_weights(span, block);
    const std::size_t stride = span.pixel_stride, neighbour = span.depth * kWordBytes;
    __m512i single[kPixels][kVectors], twice[kPixels][kVectors];
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            single[p][v] = twice[p][v] = _mm512_setzero_si512();
        }
    }
    for (int t = 0; t < span.tap_count; t += kThree) {
        const unsigned char* input = span.taps[t].input + pixel * stride;
        for (int w = 0; w < span.depth; ++w, input += kWordBytes, weight += kThree * kUnitBytes) {
            __m512i x1[kPixels], x2[kPixels], all[kPixels];
            for (int p = 0; p < kPixels; ++p) {
                const auto* left = reinterpret_cast<const long long*>(input + p * stride);
                const auto* middle = reinterpret_cast<const long long*>(input + p * stride + neighbour);
                x1[p] = _mm512_set1_epi64(left[0]);
                x2[p] = _mm512_set1_epi64(middle[0]);
                all[p] = _mm512_set1_epi64(middle[1]);
            }
            for (int v = 0; v < kVectors; ++v) {
                const __m512i w1 = load_once(weight, v), w2 = load_once(weight + kUnitBytes, v);
                const __m512i w3 = load_once(weight + 2 * kUnitBytes, v);
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
    }
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            single[p][v] = _mm512_add_epi64(single[p][v], _mm512_add_epi64(twice[p][v], twice[p][v]));
        }
    }
    finish<kPixels>(span, pixel, block, single, sums);
}

// Whether all taps are valid, three by three side by side.
bool in_threes(const Span& span) {
    const std::size_t neighbour = span.depth * kWordBytes;
    bool all = span.tap_count == span.taps_total && span.tap_count % kThree == 0;
    for (int t = 0; all && t < span.tap_count; t += kThree) {
        const unsigned char* left = span.taps[t].input;
        all = span.taps[t + 1].input == left + neighbour && span.taps[t + 2].input == left + 2 * neighbour;
    }
    return all;
}

void accumulate(const Span& span, std::int32_t* sums) {
    const bool by_threes = in_threes(span);
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; by_threes && p + 2 <= span.pixels; p += 2) {
            tile_by_threes<2>(span, p, block, sums);
        }
        for (; by_threes && p < span.pixels; ++p) {
            tile_by_threes<1>(span, p, block, sums);
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

const BinaryOps binary{"avx512_vpopcnt", kWordBytes, kUnitBytes, false, avx512::pack, expand, prepare, accumulate};

} // namespace bisr::avx512_vpopcnt
