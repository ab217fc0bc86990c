// The flags of all tools. Every flag with a value works as -flag value, -flag=value, --flag value, --flag=value.
include "llvm/Option/OptParser.td"

def SegcTool : OptionVisibility;
def RunTool : OptionVisibility;
def CheckTool : OptionVisibility;
def TrainTool : OptionVisibility;
def EvalTool : OptionVisibility;
def LookTool : OptionVisibility;
def BenchTool : OptionVisibility;

multiclass Value<string name, list<OptionVisibility> tools, string meta, string help> {
  def NAME # _eq : Option<["-", "--"], name # "=", KIND_JOINED>, Visibility<tools>;
  def NAME : Option<["-", "--"], name, KIND_SEPARATE>, Alias<!cast<Option>(NAME # "_eq")>, Visibility<tools>, MetaVarName<meta>,
             HelpText<help>;
}
multiclass Flag<string name, list<OptionVisibility> tools, string help> {
  def NAME : Option<["-", "--"], name, KIND_FLAG>, Visibility<tools>, HelpText<help>;
}

// Compiling.
defm target : Value<"target", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "T",
  "cpu (default), cuda (NVIDIA GPUs from sm_80 on), opencl (for checking GPU code)">;
defm arch : Value<"arch", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "SM",
  "with -target cuda: the GPUs whose machine code goes into the library, sm_80 and newer, several by comma; default none: there always is PTX, which drivers compile for all of them">;
defm ptxas : Value<"ptxas", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "FILE",
  "with -arch: CUDA's assembler (default: $CUDA_HOME/bin, $PATH, /usr/local/cuda/bin)">;
defm mcpu : Value<"mcpu", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "CPU",
  "native (default), amx (avx512 and matrix tiles of bf16), avx512bf16 (avx512 and dot products of bf16), avx512, avx2, portable; several by comma make a library that chooses when it is loaded">;
defm set : Value<"set", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "name=value", "sets a parameter of the model; may be repeated">;
defm prune : Value<"prune", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "HEAD", "keeps one of the model's heads as the only output of inference, and what it needs">;
defm precision : Value<"precision", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, BenchTool], "f32|bf16|f16|tf32",
  "how activations lie in memory (default f32); for inference bf16: half the memory, errors near 1e-2 of the maximum; f16: the same with errors near 1e-3, values up to 65504; tf32 (with -target cuda): f32, multiplied by tensor cores, errors near 1e-3">;
defm winograd : Value<"winograd", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "on|off", "Winograd convolutions (default on; off: errors near 1e-6 instead of 1e-5)">;
defm tensor_cores : Value<"tensor-cores", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, BenchTool], "on|off", "with -target cuda and 16 bits or tf32: convolutions on tensor cores (default on; off: their weights stay f32)">;
defm cache : Value<"cache", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "DIR", "where compiled kernels are kept (default $SEGC_CACHE or ~/.cache/segc); none: nowhere">;
defm jobs : Value<"j", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "N", "worker processes (default: one a core)">;
defm memory_limit : Value<"memory-limit", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "BYTES",
  "most bytes of activations and packed weights (512M, 2G): inference takes smaller filters to stay below, training computes convolutions again; error if that is not enough">;
defm max_shape : Value<"max-shape", [SegcTool, RunTool, CheckTool], "[INPUT=]NxCxHxW",
  "the largest extents an input may get: fixes the memory the library needs, refuses more; once for each input">;
defm o : Value<"o", [SegcTool], "DIR", "where to write (default: here)">;
defm mode : Value<"mode", [SegcTool, RunTool, BenchTool], "infer|train|both", "infer (default): norms folded, no gradients; train: the training step; both: a library that does both">;
defm emit : Value<"emit", [SegcTool, BenchTool], "KIND",
  "with segc-bench -kernel: show the kernel as stmt, llvm or asm; else stop early and write: layers, graph, gradient, fused, scheduled, plan, schedule, stmt, llvm, asm, ptx, obj, header, report, weights, dot">;
defm seed : Value<"seed", [SegcTool, TrainTool, LookTool], "N", "seed of initial weights, and in training of order, changes and dropout (default 0)">;
defm summary : Flag<"summary", [SegcTool], "prints the table of layers and compiles nothing">;
defm opt_report : Flag<"opt-report", [SegcTool], "says what fused into which kernel, and which copies remain">;
def warning : Option<["-", "--"], "W", KIND_JOINED>, Visibility<[SegcTool]>, MetaVarName<"NAME">,
  HelpText<"gives a warning: -Wasymmetric (fewer steps up than down); -Wno-NAME takes it back">;
defm verbose : Flag<"v", [SegcTool], "says what is done and how long it took">;

// Running.
defm weights : Value<"weights", [RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "FILE", "weights (.safetensors); without them a MODEL has its initial weights">;
defm inputs : Value<"inputs", [RunTool], "FILE", ".safetensors with the model's inputs">;
defm outputs : Value<"outputs", [RunTool], "FILE", ".safetensors to write">;
defm image : Value<"image", [RunTool], "PNG", "a picture as input: PNG, JPEG, PGM, PPM">;
defm mask : Value<"mask", [RunTool], "PNG", "writes the classes as a palette picture">;
defm overlay : Value<"overlay", [RunTool], "PNG", "writes the picture with the classes over it">;
defm threads : Value<"threads", [RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "N", "threads (default: one a core); of segc-bench: several by comma, measured in turn">;
defm device : Value<"device", [RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "N|emulated",
  "with -target cuda or opencl: which GPU (default 0); emulated: GPU code as OpenCL on a processor">;
defm tensors : Value<"tensors", [RunTool], "a,b", "with a MODEL: also these layers' values">;
defm repeat : Value<"repeat", [RunTool], "N", "runs N times and says how long a run took">;
defm check_finite : Flag<"check-finite", [RunTool], "with -mode train: stops at the first NaN or infinity that a kernel writes and names its layer">;
defm profile : Flag<"profile", [RunTool], "prints the time of each step">;
defm grad : Flag<"grad", [CheckTool], "checks gradients instead of values">;
defm tolerance : Value<"tolerance", [CheckTool], "T", "allowed difference relative to each tensor's maximum (default 1e-4, with -grad 1e-3, with -precision bf16 2e-2, f16 3e-3)">;

// Training.
defm data : Value<"data", [TrainTool, EvalTool, LookTool], "DIR", "the data set: a folder, or a dataset.json">;
defm out : Value<"out", [TrainTool, EvalTool, LookTool], "RUN", "the folder of results, of segc-look the picture to write; of training: checkpoints, log, curves, samples">;
defm resume : Value<"resume", [TrainTool], "RUN", "goes on with a run where its last checkpoint stands">;
defm split : Value<"split", [TrainTool, EvalTool, LookTool], "NAME", "which part of the data (training: train; evaluating: val, else test, else the first)">;
defm val_split : Value<"val-split", [TrainTool], "NAME", "what is validated on (default val; none: nothing)">;
defm batch : Value<"batch", [TrainTool], "N", "pictures in a step (default: the model's own)">;
defm accumulate : Value<"accumulate", [TrainTool], "K", "batches whose gradients make one step (default 1)">;
defm crop : Value<"crop", [TrainTool], "HxW", "size of the crops that are trained on (default: the model's own)">;
defm augment : Value<"augment", [TrainTool], "JSON", "how pictures are changed at random (docs/data.md)">;
defm steps : Value<"steps", [TrainTool, LookTool], "N", "ends after N steps (segc-look: 200)">;
defm epochs : Value<"epochs", [TrainTool], "N", "ends after N passes through the data">;
defm minutes : Value<"minutes", [TrainTool], "M", "ends after M minutes of this call">;
defm patience : Value<"patience", [TrainTool], "N", "ends after N validations without a better one">;
defm lr : Value<"lr", [TrainTool], "RATE", "learning rate, the base of the model's plan">;
defm val_every : Value<"val-every", [TrainTool], "N", "validates every N steps (default: each epoch, at least 50 steps)">;
defm save_every : Value<"save-every", [TrainTool], "N", "keeps a checkpoint every N steps, beside last and best">;
defm log_every : Value<"log-every", [TrainTool], "N", "writes a line of the log every N steps (default 10)">;
defm shuffle_labels : Flag<"shuffle-labels", [TrainTool], "deals the masks out anew among the pictures trained on: a test that scores come from the labels">;

// Evaluating.
defm masks : Value<"masks", [EvalTool], "DIR", "writes the classes of each picture as a palette PNG">;
defm json : Value<"json", [EvalTool, LookTool, BenchTool], "FILE", "writes the numbers there too">;
defm tta : Value<"tta", [EvalTool], "VIEWS",
  "averages the probabilities of several views: flips (left-right; flips=v, flips=hv), scales=0.75/1/1.25; several by comma">;
defm tile : Value<"tile", [EvalTool], "HxW", "runs the network on tiles of that size instead of whole pictures">;
defm overlap : Value<"overlap", [EvalTool], "N", "pixels that neighbouring tiles share (default: a quarter of the tile)">;
defm count : Value<"count", [EvalTool, LookTool], "N", "pictures on the contact sheet, the worst first (default 8); of segc-look: patches a filter (9)">;

// Looking inside.
defm layer : Value<"layer", [LookTool], "NAME", "whose channels are looked at (default: the first output)">;
defm classes : Value<"classes", [LookTool], "a,b", "classes: which channels (default: the first 64)">;
defm filters : Value<"filters", [LookTool], "a,b", "patches: which channels (default: the first 32)">;
defm size : Value<"size", [LookTool, BenchTool], "HxW", "classes: of the pictures made; patches: to which pictures are brought first; segc-bench: of the inputs">;
defm rate : Value<"rate", [LookTool], "R", "classes: length of the first step, in parts of the range of values (default 0.05)">;
defm decay : Value<"decay", [LookTool], "L", "classes: penalty of being far from gray (default 1)">;

// Timing.
defm seconds : Value<"seconds", [BenchTool], "S", "how long is measured with each number of threads (default 3)">;
defm trace : Value<"trace", [BenchTool], "FILE", "writes the fastest run as a trace for chrome://tracing or Perfetto">;

defm kernel : Value<"kernel", [BenchTool], "PROBLEM", "times one kernel instead of a model: a problem of docs/kernels.md, in quotes">;
defm schedule : Value<"schedule", [SegcTool, RunTool, CheckTool, BenchTool], "FILE|POINT", "of a model: FILE with lines LAYER: FAMILY [key=value ...], * for all layers, instead of the rules' choices; of segc-bench -kernel: \"FAMILY key=value ...\"">;
defm extents : Value<"extents", [BenchTool], "HxW[xN]", "with -kernel: pixels of the result and number of images (default 64x64)">;
defm all_points : Flag<"all", [BenchTool], "with -kernel: tries the legal points of all families that apply, and says how far the rule's choice is from the best">;
defm near : Flag<"near", [BenchTool], "with -kernel: tries the points that differ from -schedule's, or the rule's, in one parameter">;
defm limit : Value<"limit", [BenchTool], "N", "with -all: at most N points, evenly spread (default 200)">;
defm families : Flag<"families", [BenchTool], "prints the schedule families with their parameters, in Markdown">;

defm help : Flag<"help", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "prints this">;
defm version : Flag<"version", [SegcTool, RunTool, CheckTool, TrainTool, EvalTool, LookTool, BenchTool], "prints the version">;
