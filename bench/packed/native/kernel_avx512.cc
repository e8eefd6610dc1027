// AVX-512F: what the kernels with 512-bit vectors share, sixteen floats at a time.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::avx512 {
namespace {

constexpr int kLanes = 16;
constexpr int kVectors = kChannelBlock / kLanes;

// What a channel block needs for every pixel.
struct Block {
    __m512 scale[kVectors], bias[kVectors], pre[kVectors], slope[kVectors], post[kVectors], threshold[kVectors];
};

inline Block load_block(const EpilogueParams& params, const SignOutput& signs, int c0) {
    Block block;
    for (int v = 0; v < kVectors; ++v) {
        const int c = c0 + v * kLanes;
        block.scale[v] = _mm512_loadu_ps(params.scale + c);
        block.bias[v] = _mm512_loadu_ps(params.bias + c);
        block.pre[v] = _mm512_loadu_ps(params.pre + c);
        block.slope[v] = _mm512_loadu_ps(params.slope + c);
        block.post[v] = _mm512_loadu_ps(params.post + c);
        block.threshold[v] = signs.bits != nullptr ? _mm512_loadu_ps(signs.threshold + c) : _mm512_setzero_ps();
    }
    return block;
}

// Vector v of a block of one pixel; the shortcut is ignored without a skip, the map without one.
template <Skip kSkip, bool kMap>
inline __m512 finish(const EpilogueParams& params, const EpilogueSpan& span, const Block& block, int v,
                     const std::int32_t* sums, const float* scale, __m512 map, __m512 shortcut) {
    const auto as_float = [](const std::int32_t* lanes) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(lanes)); };
    __m512 y = _mm512_mul_ps(block.scale[v], as_float(sums));
    for (int b = 1; b < params.bases; ++b) {
        const __m512 further = as_float(sums + b * kMaxSpan * span.padded);
        y = _mm512_add_ps(y, _mm512_mul_ps(_mm512_loadu_ps(scale + b * params.scale_plane), further));
    }
    if (kMap) {
        y = _mm512_mul_ps(y, map);
    }
    y = _mm512_add_ps(y, block.bias[v]);
    if (kSkip == Skip::before) {
        y = _mm512_add_ps(y, shortcut);
    }
    y = _mm512_add_ps(y, block.pre[v]);
    y = _mm512_mask_mul_ps(y, _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_NGE_UQ), y, block.slope[v]);
    y = _mm512_add_ps(y, block.post[v]);
    if (kSkip == Skip::after) {
        y = _mm512_add_ps(y, shortcut);
    }
    return y;
}

// Channel block by channel block, so that its parameters stay in registers over the span. kWhole: all its channels exist.
template <Skip kSkip, bool kMap, bool kWhole>
[[gnu::always_inline]] inline void block_with(const EpilogueParams& params, const EpilogueSpan& span, int c0) {
    const Block block = load_block(params, span.signs, c0);
    const int left = params.channels - c0;
    const auto lanes = [left](int v) {
        const int count = left - v * kLanes;
        return static_cast<__mmask16>(count >= kLanes ? 0xffff : count > 0 ? (1u << count) - 1 : 0);
    };
    const __mmask16 masks[kVectors] = {lanes(0), lanes(1)};
    const std::int32_t* sums = span.sums + c0;
    const float* skip = kSkip == Skip::none ? nullptr : span.skip + c0;
    float* out = span.out + c0;
    const bool signs = span.signs.bits != nullptr;
    const std::size_t pixel_bytes = span.signs.pixel_bytes, stride = span.stride;
    unsigned char* bits = signs ? span.signs.bits + c0 / 8 : nullptr;
    const std::uint32_t flip = signs ? *reinterpret_cast<const std::uint32_t*>(span.signs.flip + c0 / 8) : 0;
    for (int p = 0; p < span.pixels; ++p, sums += span.padded, out += stride) {
        const __m512 map = _mm512_set1_ps(kMap ? span.scale_map[p] : 1.0f);
        __mmask16 found[kVectors];
        for (int v = 0; v < kVectors; ++v) {
            const int c = v * kLanes;
            const __m512 shortcut = kSkip == Skip::none ? _mm512_setzero_ps()
                                    : kWhole            ? _mm512_loadu_ps(skip + c)
                                                        : _mm512_maskz_loadu_ps(masks[v], skip + c);
            const __m512 y =
                finish<kSkip, kMap>(params, span, block, v, sums + c, params.scale + c0 + c, map, shortcut);
            if (kWhole) {
                _mm512_storeu_ps(out + c, y);
            } else {
                _mm512_mask_storeu_ps(out + c, masks[v], y);
            }
            found[v] = _mm512_cmp_ps_mask(y, block.threshold[v], _CMP_GE_OQ);
        }
        if (kSkip != Skip::none) {
            skip += stride;
        }
        if (signs) {
            *reinterpret_cast<std::uint32_t*>(bits) = (found[0] | static_cast<std::uint32_t>(found[1]) << 16) ^ flip;
            bits += pixel_bytes;
        }
    }
}

// Parameters by value: the stores to `out` could otherwise alias them, and each would be reloaded for every vector.
template <Skip kSkip, bool kMap>
void epilogue_with(const EpilogueParams params, const EpilogueSpan span) {
    int c = 0;
    for (; c + kChannelBlock <= params.channels; c += kChannelBlock) {
        block_with<kSkip, kMap, true>(params, span, c);
    }
    if (c < params.channels) {
        block_with<kSkip, kMap, false>(params, span, c);
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
