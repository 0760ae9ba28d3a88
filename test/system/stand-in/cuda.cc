// Stands in for NVIDIA's driver on a host without a card: the calls that the engine makes, with their rules, on the
// host's memory. A stream runs nothing before it must, so that what is queued sees what was changed since.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

using Work = std::function<void()>;

enum Status { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900 };

struct Graph {
  std::vector<Work> calls;
};
struct Stream {
  std::deque<Work> queue;
  Graph *capture = nullptr;
  int asked = 0;
};
/** What was last recorded: whether its stream has come there. */
struct Event {
  Stream *stream = nullptr;
  std::shared_ptr<bool> reached = std::make_shared<bool>(true);
};

static int lost = OK;
static const size_t TOTAL = size_t(3) << 30;
static size_t used = 0;
static std::map<void *, size_t> blocks;

static void step(Stream *stream) {
  auto call = std::move(stream->queue.front());
  stream->queue.pop_front();
  call();
}
static int wait(Stream *stream) {
  if (stream->capture) return CAPTURE_UNSUPPORTED;
  while (!stream->queue.empty()) step(stream);
  return lost;
}

extern "C" {

/** For the stand-ins of libraries that queue on a stream. */
int stand_in_queue(void *stream, const Work &call) {
  auto s = static_cast<Stream *>(stream);
  if (s->capture) s->capture->calls.push_back(call);
  else s->queue.push_back(call);
  return OK;
}

int cuInit(unsigned) {
  if (getenv("STAND_IN_CRASH")) raise(SIGSEGV);
  return OK;
}
int cuDriverGetVersion(int *version) {
  const char *told = getenv("STAND_IN_VERSION");
  *version = told ? atoi(told) : 13000;
  return OK;
}
int cuDeviceGet(int *device, int ordinal) { return *device = 0, ordinal == 0 ? OK : INVALID_VALUE; }
int cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "Stand-in"), OK; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  const char *told = getenv("STAND_IN_CAPABILITY");
  int capability = told ? atoi(told) : 90;
  *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : -1;
  return OK;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &lost, OK; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void *context) { return context == &lost ? OK : INVALID_VALUE; }

int cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = TOTAL - used, *total = TOTAL, OK; }
int cuMemAlloc_v2(void **address, size_t bytes) {
  if (bytes == 0) return INVALID_VALUE;
  if (bytes > TOTAL - used) return OUT_OF_MEMORY;
  *address = aligned_alloc(256, (bytes + 255) / 256 * 256);
  blocks[*address] = bytes;
  used += bytes;
  return OK;
}
int cuMemFree_v2(void *address) {
  auto block = blocks.find(address);
  if (block == blocks.end()) return INVALID_VALUE;
  memset(address, 0xff, block->second < 4096 ? block->second : 4096); // what uses it from now on shall see it
  used -= block->second;
  blocks.erase(block);
  free(address);
  return OK;
}
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned) { return *pointer = malloc(bytes), OK; }
int cuMemFreeHost(void *pointer) { return free(pointer), OK; }

static int copy(void *to, const void *from, size_t bytes, void *stream) {
  return stand_in_queue(stream, [=] { memmove(to, from, bytes); });
}
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) { return copy(to, from, bytes, stream); }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *stream) { return copy(to, from, bytes, stream); }
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) { return copy(to, from, bytes, stream); }
int cuMemsetD8Async(void *address, unsigned char value, size_t bytes, void *stream) {
  return stand_in_queue(stream, [=] { memset(address, value, bytes); });
}
int cuMemsetD2D8Async(char *address, size_t pitch, unsigned char value, size_t width, size_t height, void *stream) {
  return stand_in_queue(stream, [=] {
    for (size_t row = 0; row < height; row++) memset(address + row * pitch, value, width);
  });
}

int cuStreamCreate(void **stream, unsigned) { return *stream = new Stream, OK; }
int cuStreamDestroy_v2(void *stream) { return delete static_cast<Stream *>(stream), OK; }
int cuStreamSynchronize(void *stream) { return wait(static_cast<Stream *>(stream)); }
/** Busy until it has been asked a few times. */
int cuStreamQuery(void *stream) {
  auto s = static_cast<Stream *>(stream);
  return s->queue.empty() ? lost : ++s->asked % 3 ? NOT_READY : wait(s);
}

int cuEventCreate(void **event, unsigned flags) { return *event = new Event, flags == 2 ? OK : INVALID_VALUE; }
int cuEventDestroy_v2(void *event) { return delete static_cast<Event *>(event), OK; }
int cuEventRecord(void *event, void *stream) {
  auto reached = std::make_shared<bool>(false);
  *static_cast<Event *>(event) = {static_cast<Stream *>(stream), reached};
  return stand_in_queue(stream, [=] { *reached = true; });
}
static void reach(const Event &event) {
  while (!*event.reached) step(event.stream);
}
int cuEventSynchronize(void *event) { return reach(*static_cast<Event *>(event)), lost; }
int cuStreamWaitEvent(void *stream, void *event, unsigned) {
  return stand_in_queue(stream, [now = *static_cast<Event *>(event)] { reach(now); });
}

// the kernels of test/gpu, by name: what the compiler made of them is for a card

struct Blocks {
  unsigned x, y, z, threads;
};
struct Function {
  int arguments;
  void (*run)(Blocks, void *const *);
  unsigned shared = 0; // bytes that it needs, beside those of its source
};
static float *floats(void *argument) { return static_cast<float *>(argument); }
static const std::map<std::string, Function> functions = {
    {"scale_by_index",
     {2, [](Blocks b, void *const *p) {
        for (unsigned i = 0; i < b.x * b.threads && i < 1000; i++) floats(p[0])[i] = floats(p[1])[i] * i;
      }}},
    {"weigh",
     {8, [](Blocks, void *const *p) {
        float sum = 0, weight = 1;
        for (int i = 1; i < 8; i++, weight *= 10) sum += weight * *floats(p[i]);
        *floats(p[0]) = sum;
      }}},
    {"where",
     {1, [](Blocks b, void *const *p) {
        for (unsigned i = 0; i < b.x * b.y * b.z; i++)
          static_cast<int *>(p[0])[i] = i % b.x + 10 * (i / b.x % b.y) + 100 * (i / b.x / b.y);
      }}},
    {"turn_round", {1, [](Blocks, void *const *p) { std::reverse(floats(p[0]), floats(p[0]) + 16000); }, 64000}},
    {"add_one", {1, [](Blocks, void *const *p) { *floats(p[0]) += 1; }}},
    {"stray", {1, [](Blocks, void *const *) { lost = ILLEGAL_ADDRESS; }}},
};

int cuModuleLoadData(void **module, const void *image) {
  return *module = &used, memcmp(image, "\x7f"
                                        "ELF", 4) == 0 ? OK : INVALID_VALUE;
}
int cuModuleUnload(void *) { return OK; }
int cuModuleGetFunction(const void **function, void *, const char *name) {
  auto found = functions.find(name);
  if (found == functions.end()) return NOT_FOUND;
  return *function = &found->second, OK;
}
static std::map<const Function *, unsigned> allowed;
int cuFuncSetAttribute(const Function *function, int attribute, int value) {
  if (attribute != 8 || value > 227 * 1024) return INVALID_VALUE;
  return allowed[function] = value, OK;
}
int cuLaunchKernel(const Function *function, unsigned x, unsigned y, unsigned z, unsigned threadsX, unsigned threadsY,
                   unsigned threadsZ, unsigned shared, void *stream, void **arguments, void **) {
  if (threadsX > 1024 || threadsY != 1 || threadsZ != 1) return INVALID_VALUE;
  if (shared > std::max(48u * 1024, allowed[function]) || shared < function->shared) return INVALID_VALUE;
  std::vector<void *> values;
  for (int i = 0; i < function->arguments; i++) values.push_back(*static_cast<void **>(arguments[i]));
  return stand_in_queue(stream, [=] { function->run({x, y, z, threadsX}, values.data()); });
}

int cuStreamBeginCapture_v2(void *stream, int mode) {
  auto s = static_cast<Stream *>(stream);
  if (s->capture || mode != 2) return INVALID_VALUE;
  return s->capture = new Graph, OK;
}
int cuStreamEndCapture(void *stream, void **graph) {
  auto s = static_cast<Stream *>(stream);
  *graph = s->capture;
  s->capture = nullptr;
  return *graph ? OK : INVALID_VALUE;
}
int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long) {
  return *exec = new Graph(*static_cast<Graph *>(graph)), OK;
}
int cuGraphLaunch(void *exec, void *stream) {
  for (auto &call : static_cast<Graph *>(exec)->calls) stand_in_queue(stream, call);
  return OK;
}
int cuGraphExecDestroy(void *exec) { return delete static_cast<Graph *>(exec), OK; }
int cuGraphDestroy(void *graph) { return delete static_cast<Graph *>(graph), OK; }

int cuGetErrorName(int status, const char **text) {
  static const std::map<int, const char *> names = {{INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
                                                    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
                                                    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
  auto found = names.find(status);
  *text = found == names.end() ? nullptr : found->second;
  return found == names.end() ? INVALID_VALUE : OK;
}
int cuGetErrorString(int status, const char **text) {
  *text = status == CAPTURE_UNSUPPORTED ? nullptr : "an error of the stand-in";
  return OK;
}
}
