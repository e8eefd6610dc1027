// AVX2: small integers on both sides. Eight output channels lie in the 32-bit lanes of a vector; one multiplication adds
// up the products of a whole channel group: two int16, or four bytes by way of 16-bit sums.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx2 {
namespace {

// Rows of int16 (kGroup 2) or of bytes (kGroup 4).
template <int kGroup>
void quantize(const float* x, int pixels, int channels, const UniformInput& input, unsigned char* row) {
    constexpr int kBytes = kGroupBytes / kGroup;
    const int row_bytes = (channels + kGroup - 1) / kGroup * kGroupBytes;
    const __m256 step = _mm256_set1_ps(input.step), low = _mm256_set1_ps(input.low), high = _mm256_set1_ps(input.high);
    const __m256i zero = _mm256_set1_epi32(input.zero), lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int p = 0; p < pixels; ++p, x += channels, row += row_bytes) {
        for (int c = 0; c < channels; c += 8) {
            const bool whole = c + 8 <= channels;
            const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(channels - c), lanes);
            __m256 v = whole ? _mm256_loadu_ps(x + c) : _mm256_maskload_ps(x + c, mask);
            if (input.shift != nullptr) {
                v = _mm256_add_ps(v, whole ? _mm256_loadu_ps(input.shift + c) : _mm256_maskload_ps(input.shift + c, mask));
            }
            // max and min return their second operand when the first is NaN.
            v = _mm256_min_ps(_mm256_max_ps(_mm256_div_ps(v, step), low), high);
            const __m256i q = _mm256_and_si256(_mm256_sub_epi32(_mm256_cvtps_epi32(v), zero), mask);
            const __m128i q16 = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
            alignas(16) unsigned char packed[16];
            auto* target = whole ? row + c * kBytes : packed;
            if (kGroup == 2) {
                _mm_storeu_si128(reinterpret_cast<__m128i*>(target), q16);
            } else {
                _mm_storel_epi64(reinterpret_cast<__m128i*>(target), _mm_packus_epi16(q16, q16));
            }
            for (int i = c * kBytes; !whole && i < row_bytes; ++i) {
                row[i] = packed[i - c * kBytes];
            }
        }
    }
}

// prepared: int16 [block][tap][pair][kChannelBlock][2], or int8 [block][tap][group of four][kChannelBlock][4]
template <int kGroup>
void prepare_integer(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared) {
    const int groups = (channels + kGroup - 1) / kGroup;
    for (int co = 0; co < out_channels; ++co) {
        for (int tap = 0; tap < taps; ++tap) {
            const std::size_t first = (static_cast<std::size_t>(co / kChannelBlock) * taps + tap) * groups;
            for (int c = 0; c < channels; ++c) {
                const std::size_t at =
                    ((first + c / kGroup) * kChannelBlock + co % kChannelBlock) * kGroup + c % kGroup;
                if (kGroup == 2) {
                    reinterpret_cast<std::int16_t*>(prepared)[at] = *weights++;
                } else {
                    reinterpret_cast<std::int8_t*>(prepared)[at] = *weights++;
                }
            }
        }
    }
}

// One channel group of kPixels pixels against the four vectors of a channel block.
template <int kPixels, typename Multiply>
inline void for_group(std::size_t stride, const unsigned char* input, const unsigned char* weight, Multiply multiply) {
    __m256i group[kPixels];
    for (int p = 0; p < kPixels; ++p) {
        group[p] = _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(input + p * stride)));
    }
    for (int v = 0; v < kChannelBlock / 8; ++v) {
        __m256i lanes = _mm256_load_si256(reinterpret_cast<const __m256i*>(weight + 32 * v));
        // One load for all pixels: GCC would otherwise repeat it in every multiplication.
        asm("" : "+x"(lanes));
        for (int p = 0; p < kPixels; ++p) {
            multiply(p, v, group[p], lanes);
        }
    }
}

template <int kPixels, int kGroup>
void integer_tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    constexpr int kVectors = kChannelBlock / 8;
    constexpr std::size_t kUnitBytes = kChannelBlock * kGroupBytes;
    const std::size_t tap_bytes = static_cast<std::size_t>(span.depth) * kUnitBytes;
    const unsigned char* weights = span.weights + block * span.taps_total * tap_bytes;
    const std::int32_t* start = span.start + block * kChannelBlock;
    const __m256i ones = _mm256_set1_epi16(1);
    const std::size_t stride = span.pixel_stride;

    __m256i total[kPixels][kVectors];
    for (int v = 0; v < kVectors; ++v) {
        for (int p = 0; p < kPixels; ++p) {
            total[p][v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + 8 * v));
        }
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input + pixel * span.pixel_stride;
        const unsigned char* weight = weights + span.taps[t].index * tap_bytes;
        if (kGroup == 2) {
            for (int i = 0; i < span.depth; ++i, input += kGroupBytes, weight += kUnitBytes) {
                for_group<kPixels>(stride, input, weight, [&](int p, int v, __m256i group, __m256i lanes) {
                    total[p][v] = _mm256_add_epi32(total[p][v], _mm256_madd_epi16(group, lanes));
                });
            }
            continue;
        }
        for (int i = 0; i < span.depth;) {
            const int end = span.depth - i < span.groups_per_flush ? span.depth : i + span.groups_per_flush;
            __m256i halves[kPixels][kVectors] = {};
            for (; i < end; ++i, input += kGroupBytes, weight += kUnitBytes) {
                for_group<kPixels>(stride, input, weight, [&](int p, int v, __m256i group, __m256i lanes) {
                    halves[p][v] = _mm256_add_epi16(halves[p][v], _mm256_maddubs_epi16(group, lanes));
                });
            }
            for (int p = 0; p < kPixels; ++p) {
                for (int v = 0; v < kVectors; ++v) {
                    total[p][v] = _mm256_add_epi32(total[p][v], _mm256_madd_epi16(halves[p][v], ones));
                }
            }
        }
    }
    for (int p = 0; p < kPixels; ++p) {
        std::int32_t* out = sums + static_cast<std::size_t>((pixel + p) * span.blocks + block) * kChannelBlock;
        for (int v = 0; v < kVectors; ++v) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8 * v), total[p][v]);
        }
    }
}

template <int kGroup>
void accumulate_integer(const Span& span, std::int32_t* sums) {
    constexpr int kPixels = 2;
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; p + kPixels <= span.pixels; p += kPixels) {
            integer_tile<kPixels, kGroup>(span, p, block, sums);
        }
        for (; p < span.pixels; ++p) {
            integer_tile<1, kGroup>(span, p, block, sums);
        }
    }
}

} // namespace

const IntegerOps integer{"avx2", 2, kGroupBytes, 0, false, 0, quantize<2>, prepare_integer<2>, accumulate_integer<2>};
const IntegerOps narrow{"avx2", 4, kGroupBytes, 255, false, 32767, quantize<4>, prepare_integer<4>, accumulate_integer<4>};

} // namespace bisr::avx2
