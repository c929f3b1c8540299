import { readFile } from 'node:fs/promises';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { shardOf } from '../../src/cli/bulk/shard.ts';

const example = (name: string) =>
  readFile(new URL(`../../examples/cluster/${name}`, import.meta.url), 'utf8');
const check = (manifest: ConstructorParameters<typeof Job>[0]) => new Job(manifest).validate();

describe('the Kubernetes job', async () => {
  const manifest = parse(await example('job.yaml'));
  const { spec } = manifest;
  const [container] = spec.template.spec.containers;

  it("is valid by Kubernetes' schema, which refuses wrong values", () => {
    check(manifest);
    expect(() => check({ ...manifest, spec: { ...spec, completions: '4' } })).toThrow(/integer/);
    const { template: _, ...less } = spec;
    expect(() => check({ ...manifest, spec: less })).toThrow(/template/);
  });

  it('divides the work among as many shards as there are pods', () => {
    const shard = container.args[container.args.indexOf('--shard') + 1];
    const shards = Array.from({ length: spec.completions }, (_, index) =>
      shardOf(shard, { JOB_COMPLETION_INDEX: String(index) }),
    );
    expect(shards.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    expect(shards.every(({ of }) => of === spec.completions)).toBe(true);
  });

  it('mounts what its arguments name', () => {
    const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    expect(mounts).toEqual([container.args[0], container.args[2]]);
    const volumes = spec.template.spec.volumes.map(({ name }: { name: string }) => name);
    expect(container.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(volumes);
  });
});
