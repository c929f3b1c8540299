import { type Seat, serveBands } from '../../src/cpu/band.ts';

addEventListener('message', ({ data }: MessageEvent<Seat>) => serveBands(data));
