// Whether this processor and this system let the process use AMX.
#pragma once

namespace bisr {

// Null if AMX int8 can be used, with the AVX-512 that goes with it, else why not. Asks the system for the tile
// registers' memory, once a process.
const char* amx_refusal();

} // namespace bisr
