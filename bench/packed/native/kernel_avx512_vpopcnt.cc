// AVX-512 with VPOPCNTDQ: eight output channels of one 64-channel word in the lanes of a vector; xor, count, add.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx512_vpopcnt {
namespace {

constexpr int kLanes = 8;
constexpr int kVectors = kChannelBlock / kLanes;

// prepared: u64 [block][tap][word][kChannelBlock]
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::uint64_t*>(prepared);
    const int depth = taps * words;
    for (int co = 0; co < out_channels; ++co) {
        const int block = co / kChannelBlock, lane = co % kChannelBlock;
        for (int i = 0; i < depth; ++i) {
            out[(static_cast<std::size_t>(block) * depth + i) * kChannelBlock + lane] = bits[co * depth + i];
        }
    }
}

template <int kPixels>
void tile(const Span& span, int pixel, int block, std::int32_t* sums) {
    constexpr std::size_t kWordBytes = kChannelBlock * sizeof(std::uint64_t);
    const std::size_t block_bytes = static_cast<std::size_t>(span.taps_total) * span.depth * kWordBytes;
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    __m512i ones[kPixels][kVectors];
    for (int p = 0; p < kPixels; ++p) {
        for (int v = 0; v < kVectors; ++v) {
            ones[p][v] = _mm512_setzero_si512();
        }
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input + pixel * span.pixel_stride;
        const unsigned char* weight =
            span.weights + block * block_bytes + static_cast<std::size_t>(span.taps[t].index) * span.depth * kWordBytes;
        for (int w = 0; w < span.depth; ++w, input += 8, weight += kWordBytes) {
            __m512i lanes[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                lanes[v] = _mm512_loadu_si512(weight + 64 * v);
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
    const __m512i offset = _mm512_set1_epi64(span.offset);
    for (int p = 0; p < kPixels; ++p) {
        std::int32_t* out = sums + (pixel + p) * padded + static_cast<std::size_t>(block) * kChannelBlock;
        for (int v = 0; v < kVectors; ++v) {
            const __m512i sum = _mm512_sub_epi64(offset, _mm512_add_epi64(ones[p][v], ones[p][v]));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kLanes * v), _mm512_cvtepi64_epi32(sum));
        }
    }
}

void accumulate(const Span& span, std::int32_t* sums) {
    for (int block = 0; block < span.blocks; ++block) {
        int p = 0;
        for (; p + 4 <= span.pixels; p += 4) {
            tile<4>(span, p, block, sums);
        }
        for (; p < span.pixels; ++p) {
            tile<1>(span, p, block, sums);
        }
    }
}

} // namespace

const BinaryOps binary{"avx512_vpopcnt", 8, 8 * kChannelBlock, false, avx512::pack, nullptr, prepare,
                       accumulate};

} // namespace bisr::avx512_vpopcnt
