// The AVX-512 intrinsics of the kernels that the SIMDe of Debian 12 does not have, lane by lane.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

typedef simde__mmask16 __mmask16;

namespace avx512_missing {

template <typename To, typename From>
To same_bits(const From& from) {
    To to;
    static_assert(sizeof to == sizeof from, "a copy of bits");
    std::memcpy(&to, &from, sizeof to);
    return to;
}

struct Floats {
    float lane[16];
};
struct Integers {
    std::int32_t lane[16];
};
struct Bytes {
    std::uint8_t lane[16];
};

template <typename To, typename From, typename Each>
To mapped(const From& from, Each each) {
    To to;
    for (int i = 0; i < 16; ++i) {
        to.lane[i] = each(from.lane[i]);
    }
    return to;
}

inline simde__m512 to_floats(simde__m512i v) {
    return same_bits<simde__m512>(
        mapped<Floats>(same_bits<Integers>(v), [](std::int32_t lane) { return static_cast<float>(lane); }));
}

// A processor gives the least integer for what does not fit; the kernels clamp before.
inline simde__m512i to_integers(simde__m512 v) {
    return same_bits<simde__m512i>(mapped<Integers>(
        same_bits<Floats>(v), [](float lane) { return static_cast<std::int32_t>(std::nearbyint(lane)); }));
}

inline simde__m128i to_bytes(simde__m512i v) {
    return same_bits<simde__m128i>(
        mapped<Bytes>(same_bits<Integers>(v), [](std::int32_t lane) { return static_cast<std::uint8_t>(lane); }));
}

inline simde__m512 load(__mmask16 mask, const float* from) {
    Floats v{};
    for (int i = 0; i < 16; ++i) {
        if (mask >> i & 1) {
            v.lane[i] = from[i];
        }
    }
    return same_bits<simde__m512>(v);
}

inline void store(float* to, __mmask16 mask, simde__m512 v) {
    for (int i = 0; i < 16; ++i) {
        if (mask >> i & 1) {
            to[i] = same_bits<Floats>(v).lane[i];
        }
    }
}

inline simde__m512i subtract(__mmask16 mask, simde__m512i a, simde__m512i b) {
    return simde_mm512_maskz_mov_epi32(mask, simde_mm512_sub_epi32(a, b));
}

inline simde__m512 multiply(simde__m512 otherwise, __mmask16 mask, simde__m512 a, simde__m512 b) {
    return simde_mm512_mask_mov_ps(otherwise, mask, simde_mm512_mul_ps(a, b));
}

} // namespace avx512_missing

#ifndef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(v) avx512_missing::to_floats(v)
#endif
#ifndef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32(v) avx512_missing::to_integers(v)
#endif
#ifndef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8(v) avx512_missing::to_bytes(v)
#endif
#ifndef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps(mask, from) avx512_missing::load(mask, from)
#endif
#ifndef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps(to, mask, v) avx512_missing::store(to, mask, v)
#endif
#ifndef _mm512_maskz_sub_epi32
#define _mm512_maskz_sub_epi32(mask, a, b) avx512_missing::subtract(mask, a, b)
#endif
#ifndef _mm512_mask_mul_ps
#define _mm512_mask_mul_ps(otherwise, mask, a, b) avx512_missing::multiply(otherwise, mask, a, b)
#endif
