@{
    Name    = 'py-spy'
    Version = '0.4.3'
    License = 'MIT'
    # The published wheels by machine, and the SHA-256 that each must have.
    Wheels  = @{
        x86_64  = @{
            File     = 'py_spy-0.4.3-py2.py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl'
            Platform = 'manylinux2014_x86_64', 'manylinux_2_5_x86_64', 'manylinux1_x86_64'
            Sha256   = '8a4277225f470d394a85cca0cdd944bef87f0097b6f20150a6dd3ac2e92806b8'
        }
        aarch64 = @{
            File     = 'py_spy-0.4.3-py2.py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl'
            Platform = 'manylinux2014_aarch64', 'manylinux_2_17_aarch64'
            Sha256   = 'bbcec46930d464b3bfc142d6d02ade4dd8ad5627823263b3eff0280e80c7c132'
        }
    }
    # Where the binary lies in the wheel, which is a zip.
    Member  = 'py_spy-0.4.3.data/scripts/py-spy'
}
