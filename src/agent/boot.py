import sys,json,zlib,importlib.machinery as M
r=sys.stdin.buffer.read
m=json.loads(zlib.decompress(r(int.from_bytes(r(4),"big"))))
class I:
 def find_spec(s,n,*a):
  if n in m:return M.ModuleSpec(n,s,is_package=n+"."in" ".join(m))
 def create_module(s,p):0
 def exec_module(s,o):n=o.__name__;exec(compile(m[n],n,"exec"),o.__dict__)
sys.meta_path.insert(0,I())
import pydebug_agent.main as a;a.main()
