import { type Duty, takeDuty } from "./attention.ts";

/** The sound of something new. */
export interface Chime {
  /** A person has turned it on: sounds here, as a sample. */
  turnOn(): void;
  /** Sounds once in all tabs of this browser, when a person wants it and the browser lets it. */
  play(): void;
}

/** Two tones, one after the other: frequency in Hz, begin and end in seconds. */
const TONES = [
  [660, 0, 0.18],
  [880, 0.14, 0.42],
] as const;
const LOUDNESS = 0.12;
/** A context that runs costs power: it rests once its tones are over, ms. */
const REST_AFTER_MS = 800;

/** Makes the sound from nothing but the browser's own tones. Silent until `isWanted` and a first key or click. */
export function createChime(isWanted: () => boolean, signal: AbortSignal): Chime {
  let context: AudioContext | null = null;
  let duty: Duty | null = null;
  // A browser lets a page sound only after a person has used it.
  const wake = () => {
    if (!isWanted() || signal.aborted) return;
    context ??= new AudioContext();
    duty ??= takeDuty(navigator.locks, "lanekeeper-sound", signal);
  };
  addEventListener("pointerdown", wake, { signal });
  addEventListener("keydown", wake, { signal });
  signal.addEventListener("abort", () => void context?.close(), { once: true });
  return {
    turnOn() {
      wake();
      if (context !== null) void ring(context);
    },
    play() {
      if (context !== null && isWanted() && duty?.isMine()) void ring(context);
    },
  };
}

async function ring(context: AudioContext): Promise<void> {
  await context.resume();
  for (const [hz, begin, end] of TONES) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hz;
    volume.gain.setValueAtTime(LOUDNESS, context.currentTime + begin);
    // A tone that ends at once clicks.
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + end);
    tone.connect(volume).connect(context.destination);
    tone.start(context.currentTime + begin);
    tone.stop(context.currentTime + end);
  }
  setTimeout(() => void context.suspend(), REST_AFTER_MS);
}
