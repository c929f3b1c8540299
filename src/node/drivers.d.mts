export function findChromium(): string | null;
export function findLibrary(name: string): string | null;
export function findSwiftShader(): string | null;
export function findVulkanDrivers(): { hardware: string[]; software: string[] };
export function loadVulkan(): boolean;
