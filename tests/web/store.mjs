// SPDX-License-Identifier: Apache-2.0
// A store for tests: what it holds went through JSON, as through a disk.

export class MapStore {
  constructor(map = new Map()) {
    this.map = map;
  }

  async get(key) {
    const text = this.map.get(key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async put(key, value) {
    this.map.set(key, JSON.stringify(value));
  }

  async add(key, value) {
    if (this.map.has(key)) return false;
    await this.put(key, value);
    return true;
  }

  async entries(prefix) {
    const keys = [...this.map.keys()].filter((key) => key.startsWith(prefix));
    return Promise.all(keys.map(async (key) => [key, await this.get(key)]));
  }
}
