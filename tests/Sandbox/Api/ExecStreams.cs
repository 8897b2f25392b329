namespace PyDebug.Sandbox.Api;

/// <summary>Which streams an exec request asks for. Who asks for a terminal gets merged output instead.</summary>
internal sealed record ExecStreams(bool Input, bool Output, bool Error, bool Terminal)
{
    public bool Any => Input || Output || Error;
}
