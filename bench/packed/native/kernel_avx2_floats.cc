// AVX2: what meets floats, eight channels at a time: the signs of a binary layer's input, and the epilogue.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx2 {
namespace {

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

} // namespace bisr::avx2
