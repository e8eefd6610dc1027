// AVX-512F: what the kernels with 512-bit vectors share, sixteen floats at a time.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx512 {
namespace {

constexpr int kLanes = 16;

// Sixteen channels of one pixel; the shortcut is ignored without a skip, the map without one.
template <Skip kSkip, bool kMap>
inline __m512 finish(const EpilogueParams& params, const EpilogueSpan& span, const std::int32_t* sums, __m512 map, int c,
                     __m512 shortcut) {
    const auto as_float = [](const std::int32_t* lanes) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(lanes)); };
    __m512 y = _mm512_mul_ps(_mm512_loadu_ps(params.scale + c), as_float(sums + c));
    for (int b = 1; b < params.bases; ++b) {
        const __m512 scale = _mm512_loadu_ps(params.scale + b * span.padded + c);
        y = _mm512_add_ps(y, _mm512_mul_ps(scale, as_float(sums + b * kMaxSpan * span.padded + c)));
    }
    if (kMap) {
        y = _mm512_mul_ps(y, map);
    }
    y = _mm512_add_ps(y, _mm512_loadu_ps(params.bias + c));
    if (kSkip == Skip::before) {
        y = _mm512_add_ps(y, shortcut);
    }
    y = _mm512_add_ps(y, _mm512_loadu_ps(params.pre + c));
    y = _mm512_mask_mul_ps(y, _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_NGE_UQ), y,
                           _mm512_loadu_ps(params.slope + c));
    y = _mm512_add_ps(y, _mm512_loadu_ps(params.post + c));
    if (kSkip == Skip::after) {
        y = _mm512_add_ps(y, shortcut);
    }
    return y;
}

// Parameters by value: the stores to `out` could otherwise alias them, and each would be reloaded for every vector.
template <Skip kSkip, bool kMap>
void epilogue_with(const EpilogueParams params, const EpilogueSpan span) {
    const int whole = params.channels / kLanes * kLanes;
    const auto tail = static_cast<__mmask16>((1u << (params.channels - whole)) - 1);
    const __m512 none = _mm512_setzero_ps();
    const std::int32_t* sums = span.sums;
    const float* skip = span.skip;
    float* out = span.out;
    for (int p = 0; p < span.pixels; ++p, sums += span.padded, out += params.channels) {
        const __m512 map = _mm512_set1_ps(kMap ? span.scale_map[p] : 1.0f);
        for (int c = 0; c < whole; c += kLanes) {
            const __m512 shortcut = kSkip == Skip::none ? none : _mm512_loadu_ps(skip + c);
            const __m512 y = finish<kSkip, kMap>(params, span, sums, map, c, shortcut);
            _mm512_storeu_ps(out + c, y);
        }
        if (tail != 0) {
            const __m512 shortcut = kSkip == Skip::none ? none : _mm512_maskz_loadu_ps(tail, skip + whole);
            const __m512 y = finish<kSkip, kMap>(params, span, sums, map, whole, shortcut);
            _mm512_mask_storeu_ps(out + whole, tail, y);
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
            for (; c + kLanes <= end; c += kLanes) {
                const std::uint64_t at_least =
                    _mm512_cmp_ps_mask(_mm512_loadu_ps(x + c), _mm512_loadu_ps(threshold + c), _CMP_GE_OQ);
                bits |= at_least << (c - c0);
            }
            for (; c < end; ++c) {
                bits |= static_cast<std::uint64_t>(x[c] >= threshold[c]) << (c - c0);
            }
            *words++ = bits ^ flip[w];
        }
    }
}

void epilogue(const EpilogueParams& params, const EpilogueSpan& span) {
    const bool map = span.scale_map != nullptr;
    switch (params.skip) {
    case Skip::none:
        return map ? epilogue_with<Skip::none, true>(params, span) : epilogue_with<Skip::none, false>(params, span);
    case Skip::before:
        return map ? epilogue_with<Skip::before, true>(params, span) : epilogue_with<Skip::before, false>(params, span);
    case Skip::after:
        return map ? epilogue_with<Skip::after, true>(params, span) : epilogue_with<Skip::after, false>(params, span);
    }
}

} // namespace bisr::avx512
