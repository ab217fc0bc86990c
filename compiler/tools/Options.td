// The flags of all tools. Every flag with a value works as -flag value, -flag=value, --flag value, --flag=value.
include "llvm/Option/OptParser.td"

def SegcTool : OptionVisibility;
def RunTool : OptionVisibility;
def CheckTool : OptionVisibility;

multiclass Value<string name, list<OptionVisibility> tools, string meta, string help> {
  def NAME # _eq : Option<["-", "--"], name # "=", KIND_JOINED>, Visibility<tools>;
  def NAME : Option<["-", "--"], name, KIND_SEPARATE>, Alias<!cast<Option>(NAME # "_eq")>, Visibility<tools>, MetaVarName<meta>,
             HelpText<help>;
}
multiclass Flag<string name, list<OptionVisibility> tools, string help> {
  def NAME : Option<["-", "--"], name, KIND_FLAG>, Visibility<tools>, HelpText<help>;
}

// Compiling.
defm target : Value<"target", [SegcTool, RunTool, CheckTool], "T", "cpu (default)">;
defm mcpu : Value<"mcpu", [SegcTool, RunTool, CheckTool], "CPU",
  "native (default), avx512, avx2, portable; several by comma make a library that chooses when it is loaded">;
defm set : Value<"set", [SegcTool, RunTool, CheckTool], "name=value", "sets a parameter of the model; may be repeated">;
defm prune : Value<"prune", [SegcTool, RunTool, CheckTool], "HEAD", "keeps one of the model's heads as the only output of inference, and what it needs">;
defm winograd : Value<"winograd", [SegcTool, RunTool, CheckTool], "on|off", "Winograd convolutions (default on; off: errors near 1e-6 instead of 1e-5)">;
defm cache : Value<"cache", [SegcTool, RunTool, CheckTool], "DIR", "where compiled kernels are kept (default $SEGC_CACHE or ~/.cache/segc); none: nowhere">;
defm jobs : Value<"j", [SegcTool, RunTool, CheckTool], "N", "worker processes (default: one a core)">;
defm memory_limit : Value<"memory-limit", [SegcTool, RunTool, CheckTool], "BYTES",
  "most bytes of activations (512M, 2G): training computes convolutions again to stay below; error if that is not enough">;
defm max_shape : Value<"max-shape", [SegcTool, RunTool, CheckTool], "[INPUT=]NxCxHxW",
  "the largest extents an input may get: fixes the memory the library needs, refuses more; once for each input">;
defm o : Value<"o", [SegcTool], "DIR", "where to write (default: here)">;
defm mode : Value<"mode", [SegcTool, RunTool], "infer|train|both", "infer (default): norms folded, no gradients; train: the training step; both: a library that does both">;
defm emit : Value<"emit", [SegcTool], "KIND",
  "stop early and write: layers, graph, gradient, fused, scheduled, plan, schedule, stmt, llvm, asm, obj, header, weights, dot">;
defm seed : Value<"seed", [SegcTool], "N", "seed of -emit weights (default 0)">;
defm summary : Flag<"summary", [SegcTool], "prints the table of layers and compiles nothing">;
defm opt_report : Flag<"opt-report", [SegcTool], "says what fused into which kernel, and which copies remain">;
def warning : Option<["-", "--"], "W", KIND_JOINED>, Visibility<[SegcTool]>, MetaVarName<"NAME">,
  HelpText<"gives a warning: -Wasymmetric (fewer steps up than down); -Wno-NAME takes it back">;
defm verbose : Flag<"v", [SegcTool], "says what is done and how long it took">;

// Running.
defm weights : Value<"weights", [RunTool, CheckTool], "FILE", "weights (.safetensors); without them a MODEL runs with its initial weights">;
defm inputs : Value<"inputs", [RunTool], "FILE", ".safetensors with the model's inputs">;
defm outputs : Value<"outputs", [RunTool], "FILE", ".safetensors to write">;
defm image : Value<"image", [RunTool], "PNG", "a picture as input: PNG, JPEG, PGM, PPM">;
defm mask : Value<"mask", [RunTool], "PNG", "writes the classes as a palette picture">;
defm overlay : Value<"overlay", [RunTool], "PNG", "writes the picture with the classes over it">;
defm threads : Value<"threads", [RunTool, CheckTool], "N", "threads (default: one a core)">;
defm tensors : Value<"tensors", [RunTool], "a,b", "with a MODEL: also these layers' values">;
defm repeat : Value<"repeat", [RunTool], "N", "runs N times and says how long a run took">;
defm check_finite : Flag<"check-finite", [RunTool], "with -mode train: stops at the first NaN or infinity that a kernel writes and names its layer">;
defm profile : Flag<"profile", [RunTool], "prints the time of each step">;
defm grad : Flag<"grad", [CheckTool], "checks gradients instead of values">;
defm tolerance : Value<"tolerance", [CheckTool], "T", "allowed difference relative to each tensor's maximum (default 1e-4, with -grad 1e-3)">;

defm help : Flag<"help", [SegcTool, RunTool, CheckTool], "prints this">;
defm version : Flag<"version", [SegcTool, RunTool, CheckTool], "prints the version">;
