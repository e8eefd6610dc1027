// AMX tiles on plain arrays, after Intel's description of each instruction (SDM volume 2, TDPBSSD and neighbours). It
// emulates: it says nothing about speed, and stops the program where a processor would raise a fault.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace amx_emulation {

struct Config {
    std::uint8_t palette, start_row, reserved[14];
    std::uint16_t row_bytes[16];
    std::uint8_t rows[16];
};
static_assert(sizeof(Config) == 64, "as LDTILECFG reads it");

struct State {
    bool configured;
    Config config;
    std::uint8_t tile[8][16][64];
};

inline thread_local State g_state{};

inline void require(bool holds, const char* fault) {
    if (!holds) {
        std::printf("AMX emulation: %s\n", fault);
        std::exit(1);
    }
}

inline State& configured() {
    require(g_state.configured, "tiles used before LDTILECFG");
    return g_state;
}

inline void load_config(const void* from) {
    Config config;
    std::memcpy(&config, from, sizeof config);
    require(config.palette == 1 && config.start_row == 0, "palette");
    for (int i = 0; i < 14; ++i) {
        require(config.reserved[i] == 0, "reserved bytes");
    }
    for (int tile = 0; tile < 16; ++tile) {
        require(tile < 8 ? config.row_bytes[tile] <= 64 && config.rows[tile] <= 16 && config.rows[tile] > 0
                         : config.row_bytes[tile] == 0 && config.rows[tile] == 0,
                "tile shape");
    }
    std::memset(&g_state, 0, sizeof g_state);
    g_state.config = config;
    g_state.configured = true;
}

inline void release() { std::memset(&g_state, 0, sizeof g_state); }

inline void zero(int tile) { std::memset(configured().tile[tile], 0, sizeof g_state.tile[tile]); }

inline void load(int tile, const void* base, std::size_t stride) {
    State& s = configured();
    zero(tile);
    for (int row = 0; row < s.config.rows[tile]; ++row) {
        std::memcpy(s.tile[tile][row], static_cast<const char*>(base) + row * stride, s.config.row_bytes[tile]);
    }
}

inline void store(int tile, void* base, std::size_t stride) {
    const State& s = configured();
    for (int row = 0; row < s.config.rows[tile]; ++row) {
        std::memcpy(static_cast<char*>(base) + row * stride, s.tile[tile][row], s.config.row_bytes[tile]);
    }
}

// sums[m][n] += a[m][4 k + i] * b[k][4 n + i], wrapping in 32 bits.
template <typename A>
void multiply(int sums, int a, int b) {
    State& s = configured();
    const Config& c = s.config;
    require(c.rows[sums] == c.rows[a] && c.row_bytes[sums] == c.row_bytes[b] && c.row_bytes[a] == 4 * c.rows[b],
            "tile shapes do not fit each other");
    std::int32_t right[64][16] = {};
    for (int k = 0; k < c.row_bytes[a]; ++k) {
        for (int n = 0; n < c.row_bytes[sums] / 4; ++n) {
            right[k][n] = static_cast<std::int8_t>(s.tile[b][k / 4][4 * n + k % 4]);
        }
    }
    for (int m = 0; m < c.rows[sums]; ++m) {
        std::uint32_t row[16];
        std::memcpy(row, s.tile[sums][m], sizeof row);
        for (int k = 0; k < c.row_bytes[a]; ++k) {
            const int left = static_cast<A>(s.tile[a][m][k]);
            for (int n = 0; n < 16; ++n) {
                row[n] += static_cast<std::uint32_t>(left * right[k][n]);
            }
        }
        std::memcpy(s.tile[sums][m], row, sizeof row);
    }
}

} // namespace amx_emulation

#define _tile_loadconfig(config) amx_emulation::load_config(config)
#define _tile_release() amx_emulation::release()
#define _tile_zero(tile) amx_emulation::zero(tile)
#define _tile_loadd(tile, base, stride) amx_emulation::load(tile, base, stride)
#define _tile_stored(tile, base, stride) amx_emulation::store(tile, base, stride)
#define _tile_dpbssd(sums, a, b) amx_emulation::multiply<std::int8_t>(sums, a, b)
#define _tile_dpbusd(sums, a, b) amx_emulation::multiply<std::uint8_t>(sums, a, b)
