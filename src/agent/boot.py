import sys,zlib
r=sys.stdin.buffer.read
def b():return zlib.decompress(r(int.from_bytes(r(4),"big")))
exec(b())
load(b,sys.meta_path,"pydebug_agent.main")
