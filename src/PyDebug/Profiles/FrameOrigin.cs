namespace PyDebug.Profiles;

/// <summary>Whose code a frame is.</summary>
internal enum FrameOrigin
{
    /// <summary>The application's own, or not known to be anybody else's.</summary>
    Application,

    /// <summary>An installed package's.</summary>
    Library,

    /// <summary>The standard library's or the interpreter's.</summary>
    Python,

    /// <summary>Machine code: a shared library's.</summary>
    Native,
}
