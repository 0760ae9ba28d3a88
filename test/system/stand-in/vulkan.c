// Stands before a Vulkan driver, which REAL_DRIVER names, and puts faults into it: with WITHOUT_HALVES it says that shaders
// know no halves; once the file that LOSE_DEVICE names is there, the device is lost. No header is needed: what is passed on is not looked into.
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*Any)(void);
typedef Any (*Get)(void *of, const char *name);

enum { DEVICE_LOST = -4, FLOAT16_INT8_FEATURES = 1000082000, VULKAN_1_2_FEATURES = 51 };

// what all structures of Vulkan begin with
typedef struct Chained {
  int32_t type;
  struct Chained *next;
} Chained;
typedef struct {
  Chained head;
  uint32_t shaderFloat16, shaderInt8;
} Float16Int8Features;
typedef struct {
  Chained head;
  uint32_t before[8], shaderFloat16;
} Vulkan12Features;

static void *driver(void) {
  static void *opened;
  if (!opened) opened = dlopen(getenv("REAL_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  if (!opened) abort();
  return opened;
}

static Get real_instance_proc(void) { return (Get)dlsym(driver(), "vk_icdGetInstanceProcAddr"); }

static Get real_device_proc;
static void (*real_features)(void *, Chained *);
static int32_t (*real_submit)(void *, uint32_t, const void *, uint64_t);

static int32_t submit(void *queue, uint32_t count, const void *submits, uint64_t fence) {
  const char *trigger = getenv("LOSE_DEVICE");
  if (trigger && access(trigger, F_OK) == 0) return DEVICE_LOST;
  return real_submit(queue, count, submits, fence);
}

static void features(void *device, Chained *found) {
  real_features(device, found);
  if (!getenv("WITHOUT_HALVES")) return;
  for (Chained *one = found->next; one; one = one->next) {
    if (one->type == FLOAT16_INT8_FEATURES) ((Float16Int8Features *)one)->shaderFloat16 = 0;
    if (one->type == VULKAN_1_2_FEATURES) ((Vulkan12Features *)one)->shaderFloat16 = 0;
  }
}

static Any device_proc(void *device, const char *name) {
  Any found = real_device_proc(device, name);
  if (found && strcmp(name, "vkQueueSubmit") == 0) {
    real_submit = (int32_t(*)(void *, uint32_t, const void *, uint64_t))found;
    return (Any)submit;
  }
  return found;
}

__attribute__((visibility("default"))) Any vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  Any found = real_instance_proc()(instance, name);
  if (found && strcmp(name, "vkGetDeviceProcAddr") == 0) {
    real_device_proc = (Get)found;
    return (Any)device_proc;
  }
  if (found && strncmp(name, "vkGetPhysicalDeviceFeatures2", 28) == 0) {
    real_features = (void (*)(void *, Chained *))found;
    return (Any)features;
  }
  return found;
}

__attribute__((visibility("default"))) Any vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  Get get = (Get)dlsym(driver(), "vk_icdGetPhysicalDeviceProcAddr");
  Any found = get ? get(instance, name) : 0;
  if (found && strncmp(name, "vkGetPhysicalDeviceFeatures2", 28) == 0) {
    real_features = (void (*)(void *, Chained *))found;
    return (Any)features;
  }
  return found;
}

__attribute__((visibility("default"))) int32_t vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  int32_t (*negotiate)(uint32_t *) = (int32_t(*)(uint32_t *))dlsym(driver(), "vk_icdNegotiateLoaderICDInterfaceVersion");
  return negotiate(version);
}
