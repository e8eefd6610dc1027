// AVX2: what meets floats, eight channels at a time: the signs of a binary layer's input, and the epilogue.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx2 {
namespace {

constexpr int kLanes = 8;

// Eight channels of every pixel of a span; their parameters stay in registers. kWhole: all eight exist. Shortcuts are
// ignored without a skip, the map without one.
template <Skip kSkip, bool kMap, bool kWhole>
[[gnu::always_inline]] inline void eight_with(const EpilogueParams& params, const EpilogueSpan& span, int c) {
    const auto as_float = [](const std::int32_t* lanes) {
        return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes)));
    };
    const __m256 first = _mm256_loadu_ps(params.scale + c), bias = _mm256_loadu_ps(params.bias + c);
    const __m256 pre = _mm256_loadu_ps(params.pre + c), slope = _mm256_loadu_ps(params.slope + c);
    const __m256 post = _mm256_loadu_ps(params.post + c), zero = _mm256_setzero_ps();
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(params.channels - c), lanes);
    const bool signs = span.signs.bits != nullptr;
    const __m256 threshold = signs ? _mm256_loadu_ps(span.signs.threshold + c) : zero;
    const int flip = signs ? span.signs.flip[c / 8] : 0;
    unsigned char* bits = signs ? span.signs.bits + c / 8 : nullptr;
    const std::int32_t* sums = span.sums + c;
    const float* skip = kSkip == Skip::none ? nullptr : span.skip + c;
    float* out = span.out + c;
    for (int p = 0; p < span.pixels; ++p, sums += span.padded, out += span.stride) {
        __m256 y = _mm256_mul_ps(first, as_float(sums));
        for (int b = 1; b < params.bases; ++b) {
            const __m256 scale = _mm256_loadu_ps(params.scale + b * params.scale_plane + c);
            y = _mm256_add_ps(y, _mm256_mul_ps(scale, as_float(sums + b * kMaxSpan * span.padded)));
        }
        if (kMap) {
            y = _mm256_mul_ps(y, _mm256_set1_ps(span.scale_map[p]));
        }
        __m256 shortcut = zero;
        if (kSkip != Skip::none) {
            shortcut = kWhole ? _mm256_loadu_ps(skip) : _mm256_maskload_ps(skip, mask);
            skip += span.stride;
        }
        y = _mm256_add_ps(y, bias);
        if (kSkip == Skip::before) {
            y = _mm256_add_ps(y, shortcut);
        }
        y = _mm256_add_ps(y, pre);
        y = _mm256_blendv_ps(_mm256_mul_ps(y, slope), y, _mm256_cmp_ps(y, zero, _CMP_GE_OQ));
        y = _mm256_add_ps(y, post);
        if (kSkip == Skip::after) {
            y = _mm256_add_ps(y, shortcut);
        }
        if (kWhole) {
            _mm256_storeu_ps(out, y);
        } else {
            _mm256_maskstore_ps(out, mask, y);
        }
        if (signs) {
            *bits = static_cast<unsigned char>(_mm256_movemask_ps(_mm256_cmp_ps(y, threshold, _CMP_GE_OQ)) ^ flip);
            bits += span.signs.pixel_bytes;
        }
    }
}

// Parameters by value: the stores to `out` could otherwise alias them, and each would be reloaded for every vector. Eights
// to the end of the channel block, so that the signs of channels that do not exist become 0.
template <Skip kSkip, bool kMap>
void epilogue_with(const EpilogueParams params, const EpilogueSpan span) {
    int c = 0;
    for (; c + kLanes <= params.channels; c += kLanes) {
        eight_with<kSkip, kMap, true>(params, span, c);
    }
    const int end = (params.channels + kChannelBlock - 1) / kChannelBlock * kChannelBlock;
    for (; c < (span.signs.bits != nullptr ? end : params.channels); c += kLanes) {
        eight_with<kSkip, kMap, false>(params, span, c);
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

} // namespace bisr::avx2
