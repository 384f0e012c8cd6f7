/** The part of the WebAssembly interface that the kernel's loader uses; the types of Node 20 leave it out. */
declare namespace WebAssembly {
  class Module {
    constructor(octets: Uint8Array);
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
